#!/usr/bin/env python
"""Find how many batches a K-shot supernet's BN statistics need to rank paths reliably.

It scores random paths with BN statistics over each number of batches, and compares each ranking
with that of the largest number by Kendall's tau, with its 95% interval. Set
model.calibration_batches to the smallest number that keeps the ranking.
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from kshot_ranking import choose_paths, score
from mmengine.registry import init_default_scope
from rich.progress import track

from mmrel.apis import load_config
from mmrel.registry import SEARCH_SPACES
from mmrel.search.estimates import kendall_tau
from mmrel.utils.command_line import ConfigOptions, run_command


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the supernet')
    parser.add_argument('checkpoint', help='checkpoint of the supernet')
    parser.add_argument(
        '--batches',
        nargs='+',
        type=int,
        default=[1, 2, 4, 8, 16],
        help='numbers of batches (default: 1 2 4 8 16)',
    )
    parser.add_argument(
        '--paths', type=int, default=40, help='number of random paths (default: 40)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the paths (default: 0)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    args = parser.parse_args(argv)
    args.batches = sorted(set(args.batches))
    if args.batches[0] < 1 or len(args.batches) < 2:
        parser.error('--batches: give at least two different numbers, each at least 1')
    if args.paths < 2:
        parser.error(f'--paths {args.paths}: must be at least 2')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    init_default_scope('mmrel')
    options = args.cfg_options or {}
    cfg = load_config(args.config, options)
    space = SEARCH_SPACES.build(cfg.model.space)
    paths = choose_paths(space, args.paths, args.seed)
    scores = {
        number: score(
            str(Path(args.config).absolute()),
            Path(args.checkpoint),
            {**options, 'model.calibration_batches': number},
            paths,
        )
        for number in track(args.batches, 'numbers of batches')
    }
    most, size = args.batches[-1], cfg.val_dataloader.batch_size
    print(f'{len(paths)} paths, batches of {size} (val_dataloader.batch_size)')
    print(f"| batches | mean accuracy | Kendall's tau with {most} batches |\n|---|---|---|")
    for number, values in scores.items():
        tau = kendall_tau(np.array(scores[most]), np.array(values))
        print(f'| {number} | {statistics.mean(values):.2f} | {tau} |')


if __name__ == '__main__':
    run_command(main)
