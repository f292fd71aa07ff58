#!/usr/bin/env python
"""Draw labeled and predicted boxes of a few images, without the images.

Predictions are COCO results, as mmdet's CocoMetric writes them with outfile_prefix.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrel.utils.command_line import run_command
from mmrel.visualization import plot_boxes


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('labels', help='COCO annotations, such as val.json')
    parser.add_argument('predictions', nargs='+', metavar='TITLE=FILE', help='COCO results')
    parser.add_argument(
        '--images', nargs='+', type=int, default=[0], help='places in the labels (default: 0)'
    )
    parser.add_argument(
        '--threshold', type=float, default=0.3, help='lowest score of a drawn box (default: 0.3)'
    )
    parser.add_argument('--out', required=True, help='PNG to write')
    args = parser.parse_args(argv)
    for given in args.predictions:
        if '=' not in given:
            parser.error(f'{given!r}: give TITLE=FILE')
    return args


def read_json(file: str) -> Any:
    """The content of a JSON file."""
    try:
        return json.loads(Path(file).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{file!r} does not exist') from None
    except ValueError as error:
        raise ValueError(f'{file!r} is not valid JSON: {error}') from error


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    pairs = [given.partition('=')[::2] for given in args.predictions]
    predictions = {title: read_json(file) for title, file in pairs}
    plot_boxes(read_json(args.labels), predictions, args.images, args.out, args.threshold)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    run_command(main)
