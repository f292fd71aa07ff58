"""Export a network that runs without mmrel: ONNX or torch.export, with a dynamic batch size.

mmrel export MODEL OUT.onnx --pretrained CKPT --what features
mmrel export MODEL OUT.pt2 --pretrained CKPT --what scores --preprocess
"""

import argparse
from collections.abc import Sequence

from mmrel.utils.command_line import run_command

from .exporter import ExportReport, export_model
from .image_command import EXPECTED, add_model_arguments, stop
from .outputs import OUTPUTS

__all__ = ['ExportReport', 'export_model', 'main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='mmrel export',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model_arguments(parser)
    parser.add_argument('out', help='a .onnx or .pt2 file')
    parser.add_argument(
        '--what', choices=OUTPUTS, default='features',
        help='pooled backbone features, or class probabilities (default: features)',
    )  # fmt: skip
    parser.add_argument(
        '--size', type=int, nargs='+', metavar='PX',
        help="height and width of the images, or one number for both (default: the config's "
        'evaluation size)',
    )  # fmt: skip
    parser.add_argument(
        '--preprocess', action='store_true',
        help='take uint8 RGB images and normalize them in the network (default: take normalized '
        'float32 images)',
    )  # fmt: skip
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse_args(argv)
    try:
        report = export_model(
            args.model,
            args.out,
            args.pretrained,
            what=args.what,
            size=args.size,
            preprocess=args.preprocess,
            teacher=args.teacher,
            cfg_options=args.cfg_options,
        )
    except EXPECTED as error:
        stop(error)
    height, width = report.metadata['size']
    checked = (
        'not compared with torch: onnxruntime is not installed'
        if report.difference is None
        else f'differs from torch by {report.difference:.1e} of the largest value'
    )
    print(f'{report.path}: {args.what} of B x 3 x {height} x {width} images, {checked}')


if __name__ == '__main__':
    run_command(main)
