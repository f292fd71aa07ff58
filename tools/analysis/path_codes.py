#!/usr/bin/env python
"""Plot the codes that a K-shot supernet's simplex-net computes for random paths."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from mmrel.apis import get_model, load_config
from mmrel.models.algorithms import KShotNAS
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.visualization import plot_codes


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, help='PNG to write')
    parser.add_argument(
        '--paths', type=int, default=512, help='number of random paths (default: 512)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the paths (default: 0)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    args = parser.parse_args(argv)
    if args.paths < 2:
        parser.error(f'--paths {args.paths}: must be at least 2')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    model = get_model(load_config(args.config, args.cfg_options), args.checkpoint)
    if not isinstance(model, KShotNAS):
        raise TypeError(f'model.type={type(model).__name__} has no codes: it must be KShotNAS')
    if model.k == 1:
        raise ValueError('model.k=1: with one dictionary, there are no codes to plot')
    indices = model.space.sample_indices(args.paths, np.random.default_rng(args.seed))
    with torch.no_grad():
        codes = model.codes(indices).cpu().numpy()
    plot_codes(codes, model.space.flops(indices), args.out)
    print('mean of each dictionary:', ' '.join(f'{share:.4f}' for share in codes.mean(0)))
    print('spread over the paths:  ', ' '.join(f'{share:.4f}' for share in codes.std(0)))
    print(f'wrote {args.out}')


if __name__ == '__main__':
    run_command(main)
