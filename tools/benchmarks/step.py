#!/usr/bin/env python
"""Compare ReSSL's training step with a lower bound ("floor").

The floor is the work that no implementation can avoid: the student's forward and
backward pass and the teacher's forward pass, with plain torchvision ResNets in a
bare loop. A step adds the projectors, the memory, the loss, the teacher's update
and the optimizer. The two alternate step by step on the same random images, so
that changes of the machine's speed affect both. The ratio of the medians is
reported.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
import torchvision
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmrel.engine import AutocastOptimWrapper
from mmrel.registry import MODELS
from mmrel.utils.command_line import run_command

# Sizes of the published small-image settings, with smaller batches for 2 cores.
SETTINGS = {
    '32px': dict(batch=64, px=32, memory=4096, dim=128, max_pool=False),
    '64px': dict(batch=32, px=64, memory=16384, dim=512, max_pool=True),
}


def build_ressl(memory: int, dim: int, max_pool: bool) -> nn.Module:
    model = MODELS.build(
        dict(
            type='ReSSL',
            backbone=dict(type='ResNetSmallImage', depth=18, max_pool=max_pool),
            neck=dict(type='MLPNeck', hidden_channels=4 * dim, out_channels=dim),
            head=dict(type='RelationHead'),
            memory=dict(type='FeatureQueue', size=memory),
        )
    )
    return model.train()


def build_floor(max_pool: bool) -> tuple[nn.Module, nn.Module]:
    nets = []
    for _ in range(2):
        net = torchvision.models.resnet18()
        net.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        if not max_pool:
            net.maxpool = nn.Identity()
        net.fc = nn.Identity()
        nets.append(net.train())
    return nets[0], nets[1].requires_grad_(False)


def floor_step(student: nn.Module, teacher: nn.Module, views: list[Tensor], autocast: bool) -> None:
    with torch.autocast(views[0].device.type, torch.bfloat16, enabled=autocast):
        with torch.no_grad():
            teacher(views[1])
        feature = student(views[0])
    for parameter in student.parameters():
        parameter.grad = None
    feature.float().sum().backward()


def timed(function: Callable[[], object], device: str) -> float:
    if device == 'cuda':
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(setting: dict, autocast: bool, channels_last: bool, steps: int, device: str) -> dict:
    torch.manual_seed(0)
    setting = dict(setting)
    batch, px = setting.pop('batch'), setting.pop('px')
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = build_ressl(**setting).to(device, memory_format=layout)
    floor = [m.to(device, memory_format=layout) for m in build_floor(setting['max_pool'])]
    views = [
        torch.randn(batch, 3, px, px, device=device).contiguous(memory_format=layout)
        for _ in range(2)
    ]
    sgd = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], 0.06, 0.9, weight_decay=5e-4
    )
    wrapper = (AutocastOptimWrapper if autocast else OptimWrapper)(optimizer=sgd)

    def step() -> None:
        with wrapper.optim_context(model):
            loss = model(views, mode='loss')['loss']
        wrapper.update_params(loss)

    ours, bare = [], []
    for i in range(steps + 3):
        pair = (
            timed(step, device),
            timed(lambda: floor_step(*floor, views, autocast), device),
        )
        if i >= 3:  # the first steps choose kernels and allocate memory
            ours.append(pair[0])
            bare.append(pair[1])
    return dict(
        step=statistics.median(ours),
        floor=statistics.median(bare),
        ratio=statistics.median(ours) / statistics.median(bare),
        images=batch / statistics.median(ours),
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--steps', type=int, default=20, help='timed steps of each')
    parser.add_argument('--settings', nargs='+', choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args(argv)
    print(f'{args.device}, {torch.get_num_threads()} threads, torch {torch.__version__}')
    print('setting  precision  layout          step ms  floor ms  step/floor  images/s')
    for name in args.settings:
        for autocast in (False, True):
            for channels_last in (False, True):
                found = measure(SETTINGS[name], autocast, channels_last, args.steps, args.device)
                print(
                    f'{name:8s} {"bf16" if autocast else "fp32":10s} '
                    f'{"channels-last" if channels_last else "NCHW":14s} '
                    f'{found["step"] * 1e3:8.1f} {found["floor"] * 1e3:9.1f} '
                    f'{found["ratio"]:11.3f} {found["images"]:9.0f}',
                    flush=True,
                )


if __name__ == '__main__':
    run_command(main)
