#!/usr/bin/env python
"""Search the paths of a trained supernet. Any number of processes can work on one search."""

import argparse
import os
from collections.abc import Sequence

from mmengine.config import Config

from mmrel.apis import build_runner, load_config
from mmrel.engine import leave_processes
from mmrel.search import SearchLoop
from mmrel.utils.checks import check_keys
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.renamed import with_current_names


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file whose test_cfg is a SearchLoop')
    parser.add_argument(
        'checkpoint', nargs='?', help="supernet checkpoint (default: the config's load_from)"
    )
    parser.add_argument('--work-dir', help='folder for the study, the log and the results')
    parser.add_argument('--resume', action='store_true', help='continue the existing study')
    parser.add_argument(
        '--storage',
        metavar='URL',
        help='database, or journal file on a shared disk, for a search with several processes or '
        "machines (default: the work dir's study.journal)",
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def search_config(args: argparse.Namespace) -> Config:
    """The config with the settings from the command line."""
    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    if (cfg.get('test_cfg') or {}).get('type') != 'SearchLoop':
        raise KeyError(
            f"{args.config} is not a search config: it has no test_cfg=dict(type='SearchLoop')"
        )
    if args.checkpoint:
        cfg.load_from = args.checkpoint
    init = cfg.model.get('init_cfg') or {}
    if not cfg.get('load_from') and not (isinstance(init, dict) and init.get('checkpoint')):
        raise ValueError(
            f'{args.config}: a search needs a trained supernet; give CHECKPOINT after the config, '
            'or set load_from in it'
        )
    study = dict(_study(cfg))
    if args.storage:
        study['storage'] = args.storage
    if args.resume:
        study['resume'] = True
    cfg.test_cfg.study = study
    return cfg


def _study(cfg: Config) -> dict:
    """The study's settings. Replaces their former names in the config."""
    names = SearchLoop.former_arguments
    cfg.test_cfg = with_current_names('SearchLoop', names, cfg.test_cfg)
    study = cfg.test_cfg.get('study')
    check_keys('test_cfg.study', study, ('storage', 'name', 'resume'))
    return study or {}


def main(argv: Sequence[str] | None = None) -> None:
    cfg = search_config(parse_args(argv))
    if cfg.test_cfg.study.get('storage'):
        from mmrel.search.storage import open_storage

        # Before the supernet is built, so that an unreachable storage fails at once.
        open_storage(cfg.test_cfg.study.storage)
    build_runner(cfg).test()
    leave_processes()


if __name__ == '__main__':
    run_command(main)
