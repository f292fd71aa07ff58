"""Write the predicted classes of images to a table.

    mmrel predict MODEL INPUT... --pretrained CKPT --out table.csv

Columns: path, class, score; with --top-k also class_2, score_2 and so on. Class
names come from the checkpoint; if it has none, classes are numbers. If an error
occurs midway, the finished rows are kept in table.partial.csv.
"""

import argparse
from collections.abc import Sequence

from mmrel.utils.command_line import run_command

from .image_command import (
    EXPECTED,
    add_image_arguments,
    add_model_arguments,
    run_on_images,
    stop,
)
from .output_files import check_texts, check_writable
from .predictor import ImagePredictor, Predictions
from .table_files import ENDINGS, write_table

__all__ = ['ImagePredictor', 'Predictions', 'main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='mmrel predict',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model_arguments(parser)
    add_image_arguments(parser)
    parser.add_argument('--out', required=True, help='a .csv or .parquet file')
    parser.add_argument('--top-k', type=int, default=1, help='classes per image (default: 1)')
    args = parser.parse_args(argv)
    if args.top_k < 1:
        parser.error(f'--top-k {args.top_k} must be at least 1')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse_args(argv)
    try:
        check_writable(args.out, ENDINGS, 'predictions')
    except EXPECTED as error:
        stop(error)
    result, seconds = run_on_images(
        args,
        check=lambda images: check_texts(args.out, images.names, '.csv'),
        build=ImagePredictor,
        compute=ImagePredictor.predict,
        write=lambda path, done: write_table(path, done.table(args.top_k)),
    )
    count, classes = result.scores.shape
    print(f'{count} images, {classes} classes, {count / seconds:.1f} images/s: {args.out}')


if __name__ == '__main__':
    run_command(main)
