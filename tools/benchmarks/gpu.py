#!/usr/bin/env python
"""Measure the published settings at 224 px with ResNet-50: images per second and memory.

Synthetic: one batch again and again. Disk: batches from the loader. The floor is the work that
no implementation can avoid: torchvision's ResNet-50 forward on as many images as the method's
networks see, and backward where the method needs gradients. Step and floor alternate. Host syncs
are the operations of a step for which the host waits for the GPU. Without a GPU the times are
those of the CPU, and memory and host syncs are not measured.
"""

import argparse
import statistics
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torchvision
from mmengine.runner import Runner
from step import timed
from torch import Tensor, nn
from train import add_image_arguments, images_of, prepare, started

from mmrel.apis import use_amp
from mmrel.utils.command_line import run_command

CONFIGS = {
    'ReSSL': 'ressl/ressl_resnet50_8xb32-coslr-200e_in1k.py',
    'WCL': 'wcl/wcl_resnet50_32xb128-coslr-100e_in1k.py',
    'SimMatch': 'simmatch/simmatch_resnet50_8xb8-mu5-coslr-400e_in1k-10pct.py',
}


def runner_of(name: str, folder: str, scratch: str, args: argparse.Namespace) -> Runner:
    """A method's runner, with its model on the device in training mode."""
    cfg = prepare(CONFIGS[name], folder, scratch, args.workers)
    if args.batch is not None:
        loader = cfg.train_dataloader
        key = 'labeled_batch' if 'labeled_batch' in loader.sampler else 'batch_size'
        (loader.sampler if key == 'labeled_batch' else loader)[key] = args.batch
    if args.amp:
        use_amp(cfg)
    runner = started(cfg)
    if args.channels_last:
        runner.model.to(memory_format=torch.channels_last)
    return runner


def seen_images(runner: Runner, step: Callable[[], Any]) -> dict[bool, list[torch.Size]]:
    """The shapes of the images that backbones see in a step, by whether they need gradients."""
    found: dict[bool, list[torch.Size]] = {True: [], False: []}
    kind = type(runner.model.backbone)
    handles = [
        module.register_forward_pre_hook(
            lambda _, inputs: found[torch.is_grad_enabled()].append(inputs[0].shape)
        )
        for module in runner.model.modules()
        if isinstance(module, kind)
    ]
    step()
    for handle in handles:
        handle.remove()
    return found


def floor_of(shapes: dict[bool, list[torch.Size]], args: argparse.Namespace) -> Callable[[], None]:
    """The floor's step on random images of these shapes."""
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    net = torchvision.models.resnet50()
    net.fc = nn.Identity()
    net = net.to(args.device, memory_format=layout).train()
    images: dict[bool, list[Tensor]] = {
        grad: [torch.randn(shape, device=args.device).contiguous(memory_format=layout)
               for shape in found]
        for grad, found in shapes.items()
    }  # fmt: skip

    def step() -> None:
        with torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=args.amp):
            with torch.no_grad():
                for x in images[False]:
                    net(x)
            features = [net(x).float().sum() for x in images[True]]
        net.zero_grad(set_to_none=True)
        torch.stack(features).sum().backward()

    return step


def host_syncs(step: Callable[[], Any]) -> int:
    """Number of times that a step waits for the GPU."""
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter('always')
            step()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    return sum('synchronizing' in str(warning.message) for warning in found)


def measure(name: str, folder: str, scratch: str, args: argparse.Namespace) -> dict[str, float]:
    """A method's medians."""
    torch.manual_seed(0)
    runner = runner_of(name, folder, scratch, args)
    batches = iter(runner.train_dataloader)
    batch = next(batches)

    def step(data: Any = batch) -> None:
        runner.model.train_step(data, runner.optim_wrapper)

    shapes = seen_images(runner, step)
    bare = floor_of(shapes, args)
    cuda = torch.device(args.device).type == 'cuda'
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        step()
    found = dict(
        memory=torch.cuda.max_memory_allocated() / 2**30 if cuda else float('nan'),
        syncs=host_syncs(step) if cuda else float('nan'),
    )
    ours, floor, disk = [], [], []
    for i in range(args.steps + 3):
        pair = timed(step, args.device), timed(bare, args.device)
        if i >= 3:  # the first steps choose kernels and allocate memory
            ours.append(pair[0])
            floor.append(pair[1])
    for _ in range(args.steps):
        # The time of a batch and its step; workers load ahead.
        disk.append(timed(lambda: step(next(batches)), args.device))
    images = sum(shape[0] for shape in shapes[True])
    return dict(
        found,
        step=statistics.median(ours),
        floor=statistics.median(floor),
        ratio=statistics.median(a / b for a, b in zip(ours, floor, strict=True)),
        synthetic=images / statistics.median(ours),
        disk=images * len(disk) / sum(disk),
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_arguments(parser, 10000, CONFIGS)
    parser.add_argument('--batch', type=int, help="default: the config's, of one GPU")
    parser.add_argument('--steps', type=int, default=20, help='timed steps of each (default: 20)')
    parser.add_argument('--amp', action='store_true', help='bf16 mixed precision')
    parser.add_argument('--channels-last', action='store_true')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args(argv)
    card = torch.cuda.get_device_name() if args.device.startswith('cuda') else args.device
    print(f'{card}, {"bf16" if args.amp else "fp32"}, torch {torch.__version__}')
    print(
        'method    step ms  floor ms  step/floor  images/s synthetic  from disk  GiB  host syncs',
        flush=True,
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, 'images')
        images_of(args.images, folder, args.number)
        for name in args.methods:
            found = measure(name, str(folder), scratch, args)
            print(
                f'{name:9s} {found["step"] * 1e3:7.1f} {found["floor"] * 1e3:9.1f} '
                f'{found["ratio"]:11.3f} {found["synthetic"]:19.1f} {found["disk"]:10.1f} '
                f'{found["memory"]:4.1f} {found["syncs"]:11.0f}',
                flush=True,
            )


if __name__ == '__main__':
    run_command(main)
