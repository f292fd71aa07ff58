#!/usr/bin/env python
"""Score given paths with a trained supernet. A restart keeps finished rows and does the rest.

Each line of PATHS is a path, as JSON, or a dict with the path under `path`, as in the paths.jsonl
of tools/search.py and tools/analysis/random_paths.py.
"""

import argparse
import os
from collections.abc import Sequence

from mmrel.apis import build_runner, load_config
from mmrel.engine import leave_processes
from mmrel.utils.command_line import ConfigOptions, run_command

# Search settings that scoring uses too.
_SCORING = (
    'autocast', 'cache_images', 'cache_limit_mb', 'calibration_dataloader', 'log_interval', 'seed',
)  # fmt: skip


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='search config, as for tools/search.py')
    parser.add_argument('checkpoint', help='supernet checkpoint')
    parser.add_argument('paths', help='file with one path per line')
    parser.add_argument('--out', required=True, help='output file, one row per path')
    parser.add_argument('--work-dir', help='folder for the log')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    settings = {k: v for k, v in (cfg.get('test_cfg') or {}).items() if k in _SCORING}
    cfg.test_cfg = dict(type='ScorePathsLoop', paths=args.paths, out=args.out, **settings)
    cfg.load_from = args.checkpoint
    build_runner(cfg).test()
    leave_processes()


if __name__ == '__main__':
    run_command(main)
