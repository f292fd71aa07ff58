#!/usr/bin/env python
"""Make a ground-truth table from networks that retrain_paths.py trained, one file per seed.

Prints how much accuracy varies between networks and between seeds. The table has the mean
accuracy and, with two or more seeds, the standard deviation of each network.
"""

import argparse
from collections.abc import Sequence

from mmengine.registry import init_default_scope

import mmrel.models  # noqa: F401
from mmrel.apis import load_config
from mmrel.registry import SEARCH_SPACES
from mmrel.search.retrained_table import read_retrained
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.files import write_atomically


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='a config with the space, such as the search config')
    parser.add_argument('retrained', nargs='+', help='retrained.jsonl of each seed')
    parser.add_argument('--out', required=True, help='CSV file to write (see docs/ranking.md)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('mmrel')
    if 'space' not in cfg.get('model', {}):
        raise KeyError(f'{args.config} has no model.space')
    table = read_retrained(args.retrained, SEARCH_SPACES.build(cfg.model.space))
    print(table.report())
    write_atomically(table.to_csv().encode(), args.out)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    run_command(main)
