#!/usr/bin/env python
"""Measure training from disk to step: images per second, and the share spent waiting for data.

Each method's small config trains on a folder of 32-px images for some iterations, in a new
process. With `--other`, another checkout does the same in turn, on the same images, and the
ratio of the medians is reported. All images are read once before, so that each checkout finds
them in the disk cache, and in its decoded cache if it has one.

With `--compile`, steps of ReSSL, WCL and SimMatch with and without torch.compile alternate on one
batch, for each precision and memory layout in a new process. CPU time is compared, because other
work on the machine affects it least; on a GPU, wall-clock time until the GPU has finished.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

CONFIGS = {
    'ReSSL-ext': 'ressl/ressl-ext_resnet18-w16_1xb64-coslr-20e_imagefolder32.py',
    'WCL': 'wcl/wcl_resnet18-w16_1xb256-coslr-20e_imagefolder32.py',
    'SimMatch': 'simmatch/simmatch_resnet18-w16_imagefolder32_25pc.py',
    'ViTAS': 'vitas/vitas_supernet_small_imagefolder32.py',
    'K-shot NAS': 'kshot/kshot-k4_nb201-c8_1xb64-coslr-60e_imagefolder32.py',
}
COMPILED = ('ReSSL-ext', 'WCL', 'SimMatch')
# They need validation images.
_VAL_HOOKS = ('InitialValHook', 'PathCalibrationHook')
_MARK = 'measured: '


def images_of(source: Path, folder: Path, number: int) -> None:
    """Links to the first images of each class."""
    classes = sorted(path for path in source.iterdir() if path.is_dir())
    if not classes:
        raise ValueError(f'{str(source)!r} has no subfolders, one per class')
    for one in classes:
        (folder / one.name).mkdir(parents=True)
        for file in sorted(one.iterdir())[: number // len(classes)]:
            (folder / one.name / file.name).symlink_to(file.resolve())


def point_to(node: Any, folder: str, split: str) -> None:
    """Set the folder and the label lists of all datasets in a config."""
    for value in node.values() if isinstance(node, dict) else ():
        point_to(value, folder, split)
    if isinstance(node, dict):
        values = dict(data_root=folder, label_split=split, without_split=None)
        node.update({key: value for key, value in values.items() if key in node})
        if node.get('type') == 'ImageNet':
            node['type'] = 'ImageFolder'
            del node['split']


def prepare(config: str, folder: str, scratch: str, workers: int | None) -> Any:
    """A config, for this folder and without validation."""
    from mmrel.apis import load_config
    from mmrel.datasets import draw_label_split, format_label_split
    from mmrel.registry import DATASETS
    from mmrel.utils.package import package_root

    cfg = load_config(str(package_root() / 'configs' / config), work_dir=scratch)
    labels = Path(scratch, 'split.txt')
    drawn = draw_label_split(DATASETS.build(dict(type='mmrel.ImageFolder', data_root=folder)), 25)
    labels.write_text(format_label_split(drawn, 'for a benchmark'))
    point_to(cfg.train_dataloader, folder, str(labels))
    if workers is not None:
        cfg.train_dataloader.num_workers = workers
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        cfg.pop(key, None)
    cfg.train_cfg.pop('val_interval', None)
    hooks = cfg.get('custom_hooks') or []
    cfg.custom_hooks = [hook for hook in hooks if hook['type'] not in _VAL_HOOKS]
    cfg.default_hooks.checkpoint = None
    return cfg


def measure(
    name: str, folder: str, warm_up: int, iterations: int, workers: int | None
) -> dict[str, float]:
    """Train in this process; images per second and the share of waiting."""
    import torch
    from mmengine.hooks import Hook

    from mmrel.apis import build_runner

    class Done(Exception):
        pass

    class Timer(Hook):
        priority = 'LOWEST'
        number, begin, waited, left = 0, 0.0, 0.0, 0.0

        def before_train_iter(self, *_: Any, **__: Any) -> None:
            if self.number >= warm_up:
                self.waited += time.perf_counter() - self.left

        def after_train_iter(self, *_: Any, **__: Any) -> None:
            self.number += 1
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.left = time.perf_counter()
            if self.number == warm_up:
                self.begin = self.left
            if self.number == warm_up + iterations:
                raise Done

    with tempfile.TemporaryDirectory() as scratch:
        cfg = prepare(CONFIGS[name], folder, scratch, workers)
        runner = build_runner(cfg)
        for _ in runner.build_dataloader(cfg.train_dataloader, seed=0):
            pass
        timer = Timer()
        runner.register_hook(timer)
        try:
            runner.train()
        except Done:
            pass
        else:
            raise ValueError(f'{name} has fewer than {warm_up + iterations} iterations')
        seconds = timer.left - timer.begin
        size = runner.train_dataloader.batch_size
    return dict(rate=size * iterations / seconds, waiting=timer.waited / seconds)


def started(cfg: Any) -> Any:
    """A config's runner, ready for training steps."""
    from mmengine.hooks import RuntimeInfoHook

    from mmrel.apis import build_runner

    runner = build_runner(cfg)
    runner.model.train()
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    # Warm-ups read the length of the run and its iteration.
    for hook in runner.hooks:
        if isinstance(hook, RuntimeInfoHook):
            hook.before_train(runner)
    return runner


def measure_compiled(
    name: str, folder: str, steps: int, amp: bool, channels_last: bool
) -> dict[str, float]:
    """Steps with and without torch.compile, in turn: medians, and the first compiled step."""
    import torch

    from mmrel.apis import use_amp, use_compile
    from mmrel.engine.hooks import ChannelsLastHook

    def timed(step: Any) -> tuple[float, float]:
        """CPU time (on a GPU: wall-clock time), and the loss."""
        gpu = torch.cuda.is_available()
        clock = time.perf_counter if gpu else time.process_time
        begin = clock()
        with torch.compiler.set_stance('force_eager'):
            loss = step(batch, runner.optim_wrapper)['loss'].item()
        if gpu:
            torch.cuda.synchronize()
        return clock() - begin, loss

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        cfg = prepare(CONFIGS[name], folder, scratch, 0)
        use_compile(cfg)
        if amp:
            use_amp(cfg)
        runner = started(cfg)
        if channels_last:
            ChannelsLastHook().before_run(runner)
        batch = next(iter(runner.train_dataloader))
        eager = runner.model.train_step
        runner._maybe_compile('train_step')
        begin = time.perf_counter()
        timed(runner.model.train_step)
        first = time.perf_counter() - begin
        pairs = [(timed(eager), timed(runner.model.train_step)) for _ in range(steps + 2)][2:]
    without, compiled = ([pair[i][0] for pair in pairs] for i in (0, 1))
    return dict(
        eager=statistics.median(without),
        compiled=statistics.median(compiled),
        gain=statistics.median(a / b for a, b in zip(without, compiled, strict=True)),
        first=first,
    )


def compare_compiled(args: argparse.Namespace, folder: Path, scratch: str) -> dict[str, dict]:
    """Print and return :func:`measure_compiled` for all precisions and layouts."""
    print('method      precision  layout         eager ms  compiled ms  eager / compiled  first, s')
    root, results = Path(__file__).resolve().parents[2], {}
    words = ['--images', str(folder), '--iterations', str(args.iterations), '--compile']
    for name in args.methods:
        for options in ([], ['--channels-last'], ['--amp'], ['--amp', '--channels-last']):
            found = in_checkout(root, scratch, [*words, *options, '--one', name])
            results[' '.join([name, *options])] = found
            print(
                f'{name:11s} {"bf16" if "--amp" in options else "fp32":10s} '
                f'{"channels-last" if "--channels-last" in options else "NCHW":14s} '
                f'{found["eager"] * 1e3:8.1f} {found["compiled"] * 1e3:12.1f} '
                f'{found["gain"]:17.2f} {found["first"]:9.1f}',
                flush=True,
            )
    return results


def in_checkout(root: Path, home: str, words: Sequence[str]) -> dict[str, float]:
    """Call :func:`measure` in a new process with a checkout's package."""
    command = [sys.executable, __file__, *words]
    paths = [str(root), os.environ.get('PYTHONPATH', '')]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths), MMREL_HOME=home)
    done = subprocess.run(
        command, env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not lines:
        raise RuntimeError(f'{root}: {(done.stderr or done.stdout)[-2000:]}')
    return json.loads(lines[-1].removeprefix(_MARK))


def add_image_arguments(parser: argparse.ArgumentParser, number: int, names: Iterable[str]) -> None:
    """Which images and methods, and how many workers."""
    parser.add_argument('--images', type=Path, required=True, help='one subfolder per class')
    parser.add_argument(
        '--number', type=int, default=number, help=f'images to use (default: {number:,})'
    )
    parser.add_argument('--methods', nargs='+', choices=list(names), default=list(names))
    parser.add_argument('--workers', type=int, help="default: the config's")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_arguments(parser, 4096, CONFIGS)
    parser.add_argument('--other', type=Path, help='another checkout, measured in turn')
    parser.add_argument('--warm-up', type=int, default=10, help='iterations (default: 10)')
    parser.add_argument('--iterations', type=int, default=40, help='timed (default: 40)')
    parser.add_argument('--rounds', type=int, default=3, help='runs of each (default: 3)')
    parser.add_argument('--out', type=Path, help='write the results to this JSON file')
    parser.add_argument('--compile', action='store_true', help='compare with torch.compile')
    parser.add_argument('--amp', action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('--channels-last', action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('--one', help=argparse.SUPPRESS)  # what a started process measures
    args = parser.parse_args(argv)
    if args.warm_up < 1:
        parser.error(f'--warm-up {args.warm_up}: must be at least 1')
    if args.compile:
        args.methods = [name for name in args.methods if name in COMPILED]
    if args.one is not None and args.compile:
        switches = args.amp, args.channels_last
        found = measure_compiled(args.one, str(args.images), args.iterations, *switches)
        print(_MARK + json.dumps(found))
        return
    if args.one is not None:
        numbers = (args.warm_up, args.iterations, args.workers)
        print(_MARK + json.dumps(measure(args.one, str(args.images), *numbers)))
        return
    checkouts = {'this': Path(__file__).resolve().parents[2]}
    if args.other is not None:
        checkouts['other'] = args.other.resolve()
    results: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, 'images')
        images_of(args.images, folder, args.number)
        if args.compile:
            results = compare_compiled(args, folder, scratch)
        else:
            results = compare_checkouts(args, checkouts, folder, scratch)
    if args.out is not None:
        args.out.write_text(json.dumps(results, indent=1))


def compare_checkouts(
    args: argparse.Namespace, checkouts: dict[str, Path], folder: Path, scratch: str
) -> dict[str, dict]:
    """Print and return :func:`measure` for all methods and checkouts."""
    print('method      checkout  images/s  waits for data  this / other', flush=True)
    results = {}
    words = ['--images', folder, '--warm-up', args.warm_up, '--iterations', args.iterations]
    words += [] if args.workers is None else ['--workers', args.workers]
    for name in args.methods:
        found: dict[str, list] = {checkout: [] for checkout in checkouts}
        for _ in range(args.rounds):
            for checkout, root in checkouts.items():
                home = os.path.join(scratch, checkout)
                found[checkout].append(in_checkout(root, home, [*map(str, words), '--one', name]))
        results[name] = found
        report(name, found)
    return results


def report(name: str, found: dict[str, list]) -> None:
    """Print a method's medians."""
    rates = {key: statistics.median(run['rate'] for run in runs) for key, runs in found.items()}
    for checkout, runs in found.items():
        waiting = statistics.median(run['waiting'] for run in runs)
        ratio = f'{rates["this"] / rates["other"]:13.2f}' if checkout == 'other' else ''
        print(
            f'{name:11s} {checkout:8s} {rates[checkout]:9.1f} {waiting:14.0%} {ratio}', flush=True
        )


if __name__ == '__main__':
    if '--one' in sys.argv:
        main()
    else:
        from mmrel.utils.command_line import run_command

        run_command(main)
