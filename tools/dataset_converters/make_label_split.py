#!/usr/bin/env python
"""Draw a list of images: a number per class, or a percentage.

The list has the labeled images of a low-shot config, or the images that a supernet holds out for
its search. It is drawn once and written to the label_split or without_split of the config's
training set (for a semi-supervised set, of its labeled part). Runs read it from there, so all
methods use the same images.
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
    parser.add_argument('config', help='config file whose training set to draw from')
    number = parser.add_mutually_exclusive_group(required=True)
    number.add_argument('--percent', type=float, help='percentage of the images, such as 1')
    number.add_argument('--per-class', type=int, help='images per class, such as 25')
    parser.add_argument('--seed', type=int, default=0, help='seed of the draw (default: 0)')
    parser.add_argument(
        '--out', help="output file (default: the config's label_split or without_split)"
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    dataset = dict(inner_dataset(cfg.train_dataloader.dataset))
    out = args.out or dataset.get('label_split') or dataset.get('without_split')
    if out is None:
        raise SystemExit(
            'the training set of the config has neither label_split nor without_split: give --out'
        )
    if os.path.exists(out):
        raise SystemExit(f'{out} already exists: remove it to draw a new list')
    init_default_scope('mmrel')
    # These lists may not exist yet.
    whole = {key: None for key in ('label_split', 'without_split') if key in dataset}
    # With skip_broken, images are checked with the reader that training uses.
    load = [step for step in dataset.get('pipeline', []) if step['type'] == 'LoadImage']
    built = DATASETS.build(dict(dataset, **whole, pipeline=load))
    drawn = draw_label_split(built, args.percent, args.seed, args.per_class)
    share = f'{args.per_class} per class' if args.percent is None else f'{args.percent:g}%'
    remark = f'{share} of the labels of {dataset["type"]} ({len(built)} images), seed {args.seed}'
    write_atomically(format_label_split(drawn, remark).encode(), out)
    print(f'{out}: {len(drawn)} of {len(built)} images')


if __name__ == '__main__':
    run_command(main)
