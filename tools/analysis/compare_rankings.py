#!/usr/bin/env python
"""Compare rankings of supernets over seeds, such as K = 1 and K = 4.

Each --group has a name and the scores.jsonl of its seeds (from rank_against_table.py), in the same
order in all groups. Prints Kendall's tau of each seed, the mean, and the mean difference of the
pairs from the first group, with Student's 95% intervals over the seeds. A second table has the
scores themselves: their mean over the networks, and how much the networks differ.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.registry import init_default_scope

import mmrel.models  # noqa: F401
from mmrel.apis import load_config
from mmrel.registry import SEARCH_SPACES
from mmrel.search.seed_comparison import (
    comparison_table,
    scored_paths,
    scores_of_seeds,
    taus_of_seeds,
)
from mmrel.search.truth_table import read_truth_table
from mmrel.utils.command_line import ConfigOptions, run_command


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a config with the space')
    parser.add_argument('--table', required=True, help='CSV file (see docs/ranking.md)')
    parser.add_argument('--accuracy', help="the truth's column (default: the first accuracy)")
    parser.add_argument(
        '--group', nargs='+', action='append', required=True, metavar=('NAME', 'FILE'),
        help='a name and the scores.jsonl of its seeds; give at least two groups',
    )  # fmt: skip
    parser.add_argument(
        '--score', choices=['loss', 'accuracy'], default='loss',
        help='minus the loss, which has no ties, or the accuracy (default: loss)',
    )  # fmt: skip
    parser.add_argument('--bands', type=int, default=4, help='bands of FLOPs (default: 4)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    args = parser.parse_args(argv)
    names = [group[0] for group in args.group]
    if len(names) < 2 or len(set(names)) < len(names):
        parser.error(f'--group: {names}: give at least two groups, each with another name')
    if args.bands < 1:
        parser.error(f'--bands {args.bands}: must be at least 1')
    for name, *files in args.group:
        if Path(name).is_file():
            parser.error(f'--group {name}: begin with a name for the group, then its files')
        if len(set(files)) < len(files):
            parser.error(f'--group {name}: the same file is given twice')
    numbers = {len(group) - 1 for group in args.group}
    if numbers != {max(numbers)} or max(numbers) < 2:
        parser.error(f'--group: give the files of the same seeds, at least 2, not {numbers}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('mmrel')
    table = read_truth_table(args.table, SEARCH_SPACES.build(cfg.model.space), args.accuracy)
    paths = scored_paths([file for _, *files in args.group for file in files], args.score)
    taus = {
        name: taus_of_seeds(files, table, paths, args.score, args.bands)
        for name, *files in args.group
    }
    print(f'{len(paths)} networks of {args.table}; pairs are compared with {args.group[0][0]!r}')
    print(comparison_table(taus))
    scores = {name: scores_of_seeds(files, args.score) for name, *files in args.group}
    print()
    print(comparison_table(scores, f'mean {args.score}', 'standard deviation between networks'))


if __name__ == '__main__':
    run_command(main)
