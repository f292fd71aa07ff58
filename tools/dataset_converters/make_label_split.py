#!/usr/bin/env python
"""Write the list of labelled images of a low-shot config: so many of every class.

It is written once. The config's train_dataloader.dataset.label_split says where to;
runs read it from there, so that all methods use the same labels.
"""

import argparse
import os

from mmengine.config import DictAction
from mmengine.registry import init_default_scope

from mmrel.apis import load_config
from mmrel.datasets import draw_label_split, format_label_split
from mmrel.registry import DATASETS
from mmrel.utils.files import write_atomically


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file; its training set is the one to draw from')
    parser.add_argument('--percent', type=float, required=True, help='share of the labels (1, 10)')
    parser.add_argument('--seed', type=int, default=0, help='of the draw (0)')
    parser.add_argument('--out', help="the file to write; by default the config's label_split")
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='changes of the config, as a.b=value'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    dataset = dict(cfg.train_dataloader.dataset)
    while 'pipeline' not in dataset and 'dataset' in dataset:
        dataset = dict(dataset['dataset'])
    out = args.out or dataset.get('label_split')
    if out is None:
        raise SystemExit('the config names no train_dataloader.dataset.label_split: give --out')
    if os.path.exists(out):
        raise SystemExit(f'{out} is there already: remove it if you want another draw')
    init_default_scope('mmrel')
    built = DATASETS.build(dict(dataset, label_split=None, pipeline=[]))
    drawn = draw_label_split(built, args.percent, args.seed)
    remark = (
        f'{args.percent:g}% of the labels of {dataset["type"]} ({len(built)} images), '
        f'seed {args.seed}'
    )
    write_atomically(format_label_split(drawn, remark).encode(), out)
    print(f'{out}: {len(drawn)} of {len(built)} images')


if __name__ == '__main__':
    main()
