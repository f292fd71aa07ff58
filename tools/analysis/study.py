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
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmengine.config import Config

from mmrel.studies.runs import Runs, config_path
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.config_file import read_config
from mmrel.visualization import plot_study, study_table


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


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    study = read_study(args.study, args.only)
    work_dir = Path(args.work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    runs = Runs(work_dir / 'rows.jsonl', lambda row: (row['variant'], row['seed']), args.jobs)

    def finish(name: str, seed: int) -> dict:
        variant, start = study.variants[name], time.time()
        options = {**study.get('options', {}), **variant.get('options', {})}
        options.update(args.cfg_options or {})
        metric, scalars = variant.get('metric', study.metric), list(study.get('scalars', []))
        folder = work_dir / name / f'seed{seed}'
        found = runs.results(variant.config, options, seed, folder, metric, scalars)
        return dict(variant=name, seed=seed, **found, seconds=round(time.time() - start, 1))

    names = args.only or list(study.variants)
    tasks = {(n, s): partial(finish, n, s) for n in names for s in study.variants[n].seeds}
    runs.complete(tasks, 'runs')
    shown = [row for row in runs.rows if row['variant'] in study.variants]
    print(study_table(shown, list(study.variants)))
    plot_study(shown, study, work_dir / 'study.png')
    print(f'wrote {work_dir / "study.png"}')


if __name__ == '__main__':
    run_command(main)
