#!/usr/bin/env python
"""Write the list of labeled images of a low-shot config: a number per class, or a share.

It is written once. The label_split of the config's training set says where to (of a
semi-supervised one, that of its labeled part); runs read it from there, so that all
methods use the same labels.
"""

import argparse
import os
from collections.abc import Sequence

from mmengine.registry import init_default_scope

from mmrel.apis import load_config
from mmrel.datasets import draw_label_split, format_label_split
from mmrel.engine import inner_dataset
from mmrel.registry import DATASETS
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.files import write_atomically


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file; its training set is the one to draw from')
    number = parser.add_mutually_exclusive_group(required=True)
    number.add_argument('--percent', type=float, help='share of the labels (1, 10)')
    number.add_argument('--per-class', type=int, help='labels of each class (4, 25, 400)')
    parser.add_argument('--seed', type=int, default=0, help='of the draw (0)')
    parser.add_argument(
        '--out', help="the file to write; by default the config's label_split or without_split"
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='changes of the config, as a.b=value'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    dataset = dict(inner_dataset(cfg.train_dataloader.dataset))
    out = args.out or dataset.get('label_split') or dataset.get('without_split')
    if out is None:
        raise SystemExit(
            'the config names no label_split or without_split of its training set: give --out'
        )
    if os.path.exists(out):
        raise SystemExit(f'{out} is there already: remove it if you want another draw')
    init_default_scope('mmrel')
    # Lists that are still to be written.
    whole = {key: None for key in ('label_split', 'without_split') if key in dataset}
    # With skip_broken, images are checked with the reader of the training.
    load = [step for step in dataset.get('pipeline', []) if step['type'] == 'LoadImage']
    built = DATASETS.build(dict(dataset, **whole, pipeline=load))
    drawn = draw_label_split(built, args.percent, args.seed, args.per_class)
    share = f'{args.per_class} a class' if args.percent is None else f'{args.percent:g}%'
    remark = f'{share} of the labels of {dataset["type"]} ({len(built)} images), seed {args.seed}'
    write_atomically(format_label_split(drawn, remark).encode(), out)
    print(f'{out}: {len(drawn)} of {len(built)} images')


if __name__ == '__main__':
    run_command(main)
