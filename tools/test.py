#!/usr/bin/env python
"""Evaluate a checkpoint: kNN for self-supervised configs, accuracy for linear ones."""

import argparse
import os
from collections.abc import Sequence

from mmengine.dist import is_main_process
from mmengine.fileio import dump

from mmrel.apis import build_runner, load_config, test_from_val
from mmrel.apis.zoo import checkpoint_file, config_file, weights_of_config
from mmrel.engine import leave_processes
from mmrel.utils.command_line import ConfigOptions, run_command


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, or the name of a model')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint file, or the name of a model with released weights (default: the weights '
        'of the config)',
    )
    parser.add_argument('--work-dir', help='folder for the log')
    parser.add_argument('--out', help='also write the metrics to this .json file')
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
    cfg = load_config(config_file(args.config), args.cfg_options, args.work_dir, args.launcher)
    test_from_val(cfg)
    given = args.checkpoint
    cfg.load_from = weights_of_config(cfg) if given is None else checkpoint_file(given)
    metrics = build_runner(cfg).test()
    if args.out and is_main_process():
        dump(metrics, args.out)
    leave_processes()


if __name__ == '__main__':
    run_command(main)
