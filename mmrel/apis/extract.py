"""Write the pooled backbone features of images to a file.

    mmrel extract MODEL INPUT... --pretrained CKPT --out features.npy

If an error occurs midway, the finished rows are kept in features.partial.npy.
"""

import argparse
from collections.abc import Sequence

from mmrel.utils.command_line import run_command

from .extractor import ExtractedFeatures, FeatureExtractor
from .feature_files import check_feature_file, check_paths, paths_file, write_features
from .image_command import (
    EXPECTED,
    add_image_arguments,
    add_model_arguments,
    run_on_images,
    stop,
)

__all__ = ['ExtractedFeatures', 'FeatureExtractor', 'main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='mmrel extract',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model_arguments(parser)
    add_image_arguments(parser)
    parser.add_argument(
        '--out', required=True,
        help='a .npy file (the paths go to NAME.paths.txt), or a .parquet file',
    )  # fmt: skip
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse_args(argv)
    try:
        check_feature_file(args.out)
    except EXPECTED as error:
        stop(error)
    result, seconds = run_on_images(
        args,
        check=lambda images: check_paths(args.out, images.names),
        build=FeatureExtractor,
        compute=FeatureExtractor.extract,
        write=lambda path, done: write_features(path, done.features, done.paths),
    )
    files = args.out + (f' and {paths_file(args.out)}' if args.out.endswith('.npy') else '')
    count, dimension = result.features.shape
    print(f'{count} images, dimension {dimension}, {count / seconds:.1f} images/s: {files}')


if __name__ == '__main__':
    run_command(main)
