#!/usr/bin/env python
"""Train variants of configs with several seeds, then tabulate and plot the results.

A study is a Python file with `variants` (name -> dict(config=..., options={...}, seeds=[...])),
`options` for all variants, and `metric`, which a variant may override. `scalars` lists what else to
store and plot: training scalars, averaged over each epoch, or other metrics. Finished runs are
rows of WORK_DIR/rows.jsonl. A stopped study continues where it was and resumes the current run from
its last checkpoint.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import mean

from mmengine.config import Config
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.config_file import read_config
from mmrel.utils.json_lines import finished_rows, format_rows
from mmrel.utils.renamed import current_path
from mmrel.visualization import find_scalars, plot_study, read_scalars, study_table

ROOT = Path(__file__).resolve().parents[2]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('study', help='study file')
    parser.add_argument('--work-dir', required=True, help='folder for rows, runs and the plot')
    parser.add_argument('--jobs', type=int, default=1, help='concurrent runs (default: 1)')
    parser.add_argument('--only', nargs='+', metavar='VARIANT', help='run only these variants')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='config overrides for all runs, such as your folders',
    )
    args = parser.parse_args(argv)
    if args.jobs < 1:
        parser.error(f'--jobs {args.jobs}: must be at least 1')
    return args


def run_all(tasks: Sequence[Callable[[], None]], jobs: int, title: str, started: list) -> None:
    """Run tasks, ``jobs`` at a time, with a progress bar. Their runs end with this process."""
    # SIGTERM raises an exception here, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    columns = SpinnerColumn(), TextColumn('{task.description}'), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn()) as progress, ThreadPoolExecutor(jobs) as pool:
        bar = progress.add_task(title, total=len(tasks))
        futures = [pool.submit(task) for task in tasks]
        try:
            for future in futures:
                future.result()
                progress.advance(bar)
        except BaseException:
            for future in futures:
                future.cancel()
            for process in started:
                process.terminate()
            raise


def read_study(path: str, only: list[str] | None) -> Config:
    """Read and check a study file."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f'study {path!r} does not exist')
    study = read_config(path)
    for key in ('variants', 'metric'):
        if key not in study:
            raise KeyError(f'the study {path!r} has no {key!r}')
    unknown = set(only or []) - study.variants.keys()
    if unknown:
        raise KeyError(
            f'--only {sorted(unknown)}: not in the study, which has {list(study.variants)}'
        )
    for name, variant in study.variants.items():
        if not os.path.isfile(config_path(variant.config)):
            raise FileNotFoundError(f'variant {name!r}: config {variant.config!r} does not exist')
        if name.strip('.') == '' or '/' in name:
            raise ValueError(f'variant {name!r} is not a valid folder name: rename it')
    return study


def config_path(config: str) -> str:
    """A config's path, relative to the current folder or to the repository."""
    config = current_path(config)
    return config if os.path.isfile(config) else current_path(str(ROOT / config))


def train(
    config: str, options: dict, seed: int, work_dir: Path, threads: int, started: list
) -> None:
    """Run tools/train.py. Its output goes to WORK_DIR/log.txt."""
    options = dict(options, **{'randomness.seed': seed})
    words = [f'{k}={v}' for k, v in options.items()]
    command = [sys.executable, str(ROOT / 'tools/train.py'), config_path(config)]
    command += ['--work-dir', str(work_dir), '--resume', '--cfg-options', *words]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    work_dir.mkdir(parents=True, exist_ok=True)
    with (work_dir / 'log.txt').open('a') as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        started.append(process)
        if process.wait() != 0:
            lines = (work_dir / 'log.txt').read_text().strip().splitlines()
            errors = [line for line in lines if line.startswith('error: ')]
            last = ''.join((errors or lines)[-1:])
            raise RuntimeError(f'a run failed ({last}): see {work_dir / "log.txt"}')


def read_run(work_dir: Path, metric: str, names: Sequence[str] = ()) -> dict:
    """The curves of a finished run: the metric, the loss and the scalars ``names``."""
    scalars = read_scalars(*find_scalars(work_dir))
    curve = [[line['step'], round(line[metric], 4)] for line in scalars.val if metric in line]
    if not curve:
        raise KeyError(f'no {metric!r} in the logs of {work_dir}')
    ends = {line['epoch']: line for line in scalars.train if 'loss_epoch' in line}
    run = dict(
        curve=curve, loss=[[epoch, round(line['loss_epoch'], 4)] for epoch, line in ends.items()]
    )
    for name in names:
        by_epoch: dict[int, list[float]] = {}
        for line in (*scalars.train, *scalars.val):
            if name in line:
                by_epoch.setdefault(line.get('epoch', line['step']), []).append(line[name])
        # Not every variant has every scalar.
        if by_epoch:
            means = [[epoch, round(mean(values), 4)] for epoch, values in by_epoch.items()]
            run.setdefault('scalars', {})[name] = means
    return run


def finished_run(
    config: str,
    options: dict,
    seed: int,
    work_dir: Path,
    threads: int,
    started: list,
    metric: str,
    names: Sequence[str] = (),
) -> dict:
    """:func:`train`, then :func:`read_run`.

    A run that was stopped between its last checkpoint and the validation after it has nothing to
    resume and no metric. It is repeated.
    """
    train(config, options, seed, work_dir, threads, started)
    try:
        return read_run(work_dir, metric, names)
    except KeyError:
        for checkpoint in work_dir.glob('*.pth'):
            checkpoint.unlink()
        (work_dir / 'last_checkpoint').unlink(missing_ok=True)
        train(config, options, seed, work_dir, threads, started)
        return read_run(work_dir, metric, names)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    study = read_study(args.study, args.only)
    work_dir = Path(args.work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    rows_path = work_dir / 'rows.jsonl'
    rows = finished_rows(rows_path)
    done = {(row['variant'], row['seed']) for row in rows}
    names = args.only or list(study.variants)
    todo = [(n, s) for n in names for s in study.variants[n].seeds if (n, s) not in done]
    threads = max(1, (os.cpu_count() or 1) // args.jobs)
    lock, started = threading.Lock(), []

    def finish(name: str, seed: int) -> None:
        variant = study.variants[name]
        options = {**study.get('options', {}), **variant.get('options', {})}
        options.update(args.cfg_options or {})
        folder, start = work_dir / name / f'seed{seed}', time.time()
        metric, names = variant.get('metric', study.metric), list(study.get('scalars', []))
        run = finished_run(variant.config, options, seed, folder, threads, started, metric, names)
        row = dict(variant=name, seed=seed, **run)
        row['seconds'] = round(time.time() - start, 1)
        with lock:
            rows.append(row)
            with rows_path.open('a') as file:
                file.write(format_rows([row]))

    tasks = [partial(finish, *run) for run in todo]
    run_all(tasks, args.jobs, f'runs ({len(todo) + len(done)} in total)', started)
    shown = [row for row in rows if row['variant'] in study.variants]
    print(study_table(shown, list(study.variants)))
    plot_study(shown, study, work_dir / 'study.png')
    print(f'wrote {work_dir / "study.png"}')


if __name__ == '__main__':
    run_command(main)
