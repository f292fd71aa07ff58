#!/usr/bin/env python
"""Compare K-shot NAS's training step with K dictionaries and with one.

Both supernets run the same path on the same random images. They alternate step by step, so
that changes of the machine's speed affect both. The median of the pairs' ratios is reported.
The compared step is the weight step: forward, backward and SGD. The simplex-net's step, which
K = 1 does not have, is listed separately, with its ratio to the weight step with K. Memory is
the peak of a process during its steps (channels-last): of weight steps alone and, for K
dictionaries, of both steps.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapperDict
from mmpretrain.structures import DataSample
from step import timed

from mmrel.engine import KShotOptimWrapperConstructor
from mmrel.models.algorithms import KShotNAS
from mmrel.registry import MODELS
from mmrel.utils.command_line import run_command
from mmrel.utils.package import package_root

# Odd, so that each path is timed in both orders.
PATHS = 5
CONFIGS = dict(
    mobilenet='kshot/kshot-k8_mobilenetv2-se-small_1xb64-coslr-60e_imagefolder32.py',
    cells='kshot/kshot-k8_nb201-c8_1xb64-coslr-60e_imagefolder32.py',
)


def build(
    name: str, k: int, device: str, channels_last: bool, run_paths: int | None = None
) -> tuple[KShotNAS, OptimWrapperDict]:
    cfg = Config.fromfile(package_root() / 'configs' / CONFIGS[name])
    simplex = dict(cfg.model.simplex, run_paths=run_paths)
    model = MODELS.build(dict(cfg.model, k=k, warmup=None, simplex=simplex)).to(device).train()
    if channels_last:
        model.to(memory_format=torch.channels_last)
    wrapper = dict(cfg.optim_wrapper)
    wrapper.pop('constructor')
    return model, KShotOptimWrapperConstructor(wrapper)(model)


def batch(size: int, px: int, classes: int, device: str, channels_last: bool) -> dict:
    images = torch.randn(size, 3, px, px, device=device)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(size, device=device) % classes
    samples = [DataSample().set_gt_label(label.view(1)) for label in labels]
    return dict(inputs=images, data_samples=samples)


def step_of_weights(model: KShotNAS, wrappers: OptimWrapperDict, data: dict) -> None:
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    model._update(wrappers['weights'], loss)


def step_of_simplex_net(model: KShotNAS, wrappers: OptimWrapperDict, data: dict) -> None:
    loss, _ = model.parse_losses(model.simplex_loss(**data))
    model._update(wrappers['simplex_net'], loss, list(model.simplex_net.parameters()))


def peak_mib(args: argparse.Namespace, name: str, k: int, steps: str = 'weights') -> float:
    """Peak memory of a model, its optimizer and its steps, measured in a new process."""
    words = [
        '--peak',
        name,
        k,
        steps,
        '--device',
        args.device,
        '--batch',
        args.batch,
        '--px',
        args.px,
        *([] if args.run_paths is None else ['--run-paths', args.run_paths]),
    ]
    done = subprocess.run(
        [sys.executable, __file__, *map(str, words)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def resident_mib(peak: bool) -> float:
    """Current or peak resident memory of this process (Linux)."""
    key = 'VmHWM:' if peak else 'VmRSS:'
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def print_peak(name: str, k: int, steps: str, args: argparse.Namespace) -> None:
    cuda = args.device.startswith('cuda')
    torch.manual_seed(0)
    if not cuda:
        Path('/proc/self/clear_refs').write_text('5')  # reset the peak, which includes the imports
        before = resident_mib(peak=False)
    model, wrappers = build(name, k, args.device, True, args.run_paths)
    data = batch(args.batch, args.px, model.space.num_classes, args.device, True)
    for _ in range(3):
        step_of_weights(model, wrappers, data)
        if steps == 'both':
            model.warm = True
            step_of_simplex_net(model, wrappers, data)
    print(torch.cuda.max_memory_allocated() / 2**20 if cuda else resident_mib(peak=True) - before)


def measure(name: str, args: argparse.Namespace, channels_last: bool) -> dict[str, float]:
    torch.manual_seed(0)
    one, many = (build(name, k, args.device, channels_last, args.run_paths) for k in (1, args.k))
    data = batch(args.batch, args.px, one[0].space.num_classes, args.device, channels_last)
    times: dict[str, list[float]] = dict(one=[], many=[], simplex=[])
    for i in range(args.steps + PATHS):
        one[0].steps = many[0].steps = i % PATHS
        tasks = dict(
            one=lambda: step_of_weights(*one, data), many=lambda: step_of_weights(*many, data)
        )
        # The second one finds warm caches, so the order alternates.
        found = {key: timed(tasks[key], args.device) for key in sorted(tasks, reverse=bool(i % 2))}
        if args.k > 1:
            many[0].warm = True
            found['simplex'] = timed(lambda: step_of_simplex_net(*many, data), args.device)
        # The first step of each path creates kernels for its shapes.
        if i >= PATHS:
            for key, value in found.items():
                times[key].append(value)
    medians = {key: statistics.median(values) for key, values in times.items() if values}
    # Paths differ in size, so times of the same path are compared.
    pairs = zip(times['many'], times['one'], strict=True)
    medians['ratio'] = statistics.median(a / b for a, b in pairs)
    if args.k > 1:  # the simplex-net's paths are others, so all steps are compared
        medians['simplex_ratio'] = sum(times['simplex']) / sum(times['many'])
    return medians


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--spaces', nargs='+', choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument('--k', type=int, default=8)
    parser.add_argument('--batch', type=int, default=64)
    parser.add_argument(
        '--run-paths', type=int, help='paths that the simplex-net step runs (default: all 16)'
    )
    parser.add_argument('--px', type=int, default=32, help='height and width of the images')
    parser.add_argument('--steps', type=int, default=20, help='timed steps of each')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--peak', nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.run_paths is not None and not 1 <= args.run_paths <= args.batch:
        parser.error(f'--run-paths {args.run_paths}: must be from 1 to the batch size')
    if args.peak:
        print_peak(args.peak[0], int(args.peak[1]), args.peak[2], args)
        return
    print(f'{args.device}, {torch.get_num_threads()} threads, torch {torch.__version__}')
    print(
        'space      layout         K=1 ms   K ms  K/K=1  simplex-net ms  simplex-net/K  '
        'K=1 MiB  K MiB  MiB ratio  both MiB'
    )
    for name in args.spaces:
        peaks = [peak_mib(args, name, k) for k in (1, args.k)]
        both = peak_mib(args, name, args.k, 'both') if args.k > 1 else peaks[1]
        for channels_last in (False, True):
            found = measure(name, args, channels_last)
            print(
                f'{name:10s} {"channels-last" if channels_last else "NCHW":13s} '
                f'{found["one"] * 1e3:7.1f} {found["many"] * 1e3:6.1f} {found["ratio"]:6.3f} '
                f'{found.get("simplex", 0) * 1e3:15.1f} {found.get("simplex_ratio", 0):14.2f} '
                f'{peaks[0]:8.0f} {peaks[1]:6.0f} '
                f'{peaks[1] / peaks[0]:10.2f} {both:9.0f}',
                flush=True,
            )


if __name__ == '__main__':
    run_command(main)
