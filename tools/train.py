#!/usr/bin/env python
"""Train a model from a config."""

import argparse
import os
from collections.abc import Sequence

from mmrel.apis import (
    build_runner,
    check_batches,
    load_config,
    use_amp,
    use_auto_scale_lr,
    use_compile,
)
from mmrel.engine import leave_processes
from mmrel.utils.command_line import ConfigOptions, run_command


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='resume from this checkpoint (default: the last one in the work dir)',
    )
    parser.add_argument('--amp', action='store_true', help='bf16 mixed precision')
    parser.add_argument(
        '--compile', action='store_true', help='compile the backbone with torch.compile'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the global batch size',
    )
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
    if args.amp:
        use_amp(cfg)
    if args.compile:
        use_compile(cfg)
    if args.auto_scale_lr:
        use_auto_scale_lr(cfg)
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    runner = build_runner(cfg)
    check_batches(runner)
    runner.train()
    leave_processes()


if __name__ == '__main__':
    run_command(main)
