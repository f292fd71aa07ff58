"""Write pooled backbone features of images to a file.

    python -m mmrel.apis.extract MODEL INPUT... --pretrained CKPT --out features.npy

An error in the middle costs nothing that is done: the finished rows are written
to features.partial.npy before it is reported.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence

from mmrel.datasets.image_file import BrokenImageError
from mmrel.datasets.image_list import ImageList
from mmrel.utils.command_line import ConfigOptions, run_command

from .extractor import ExtractedFeatures, FeatureExtractor
from .feature_files import (
    check_feature_file,
    check_paths,
    partial_file,
    paths_file,
    write_features,
)

__all__ = ['ExtractedFeatures', 'FeatureExtractor', 'main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='python -m mmrel.apis.extract',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', help='a name of mmrel.apis.list_models(), or a config file')
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='image files and folders')
    parser.add_argument(
        '--pretrained', metavar='CKPT', default=True,
        help='a training checkpoint or a published backbone; left out: the released weights',
    )  # fmt: skip
    parser.add_argument(
        '--out', required=True,
        help='a .npy file, with the paths in NAME.paths.txt beside it, or a .parquet file',
    )  # fmt: skip
    parser.add_argument('--batch-size', type=int, default=64, help='images at a time (64)')
    parser.add_argument(
        '--num-workers', type=int, default=min(4, os.cpu_count() or 1),
        help='processes that read images (one a core, 4 at most)',
    )  # fmt: skip
    parser.add_argument('--device', help='such as cpu or cuda:1 (a GPU where there is one)')
    parser.add_argument(
        '--skip-broken', action='store_true', help='leave out images that cannot be decoded'
    )
    parser.add_argument(
        '--extensions', nargs='+', metavar='EXT',
        help='extensions of images in folders, such as .webp .png (all that Pillow reads)',
    )  # fmt: skip
    parser.add_argument('--no-progress', action='store_true', help='show no progress bar')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='changes of the config, as a.b=value'
    )
    return parser.parse_args(argv)


def _message(error: BaseException) -> str:
    # str() of a KeyError is the message in quotes.
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)


def _prepare(args: argparse.Namespace) -> tuple[FeatureExtractor, ImageList]:
    """All that can be wrong before the first image is read, the quick checks first."""
    check_feature_file(args.out)
    images = ImageList(args.inputs, args.extensions, args.skip_broken)
    check_paths(args.out, images.items)
    extractor = FeatureExtractor(
        args.model,
        args.pretrained,
        device=args.device,
        batch_size=args.batch_size,
        num_workers=args.num_workers,
        skip_broken=args.skip_broken,
        progress=not args.no_progress,
        cfg_options=args.cfg_options,
        extensions=args.extensions,
    )
    return extractor, images


def _write(path: str, result: ExtractedFeatures) -> tuple[str, OSError | None]:
    """Write the features; where that fails, in a new temporary folder. Where, and what failed."""
    try:
        write_features(path, result.features, result.paths)
    except OSError as error:
        rescue = os.path.join(tempfile.mkdtemp(prefix='mmrel-'), os.path.basename(path))
        write_features(rescue, result.features, result.paths)
        return rescue, error
    return path, None


def _save_finished(out: str, finished: ExtractedFeatures) -> str:
    """Write what was done before an error, and say where it is."""
    if not finished.rows:
        return 'nothing was finished before'
    path, _ = _write(partial_file(out), finished)
    return f'the {len(finished.rows)} finished images are in {path}'


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    args = parse_args(argv)
    try:
        extractor, images = _prepare(args)
    except (ImportError, KeyError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f'error: {_message(error)}')
    start = time.perf_counter()
    try:
        result = extractor.extract(images)
    except (Exception, KeyboardInterrupt) as error:
        saved = _save_finished(args.out, error.finished) if hasattr(error, 'finished') else ''
        if isinstance(error, BrokenImageError):
            sys.exit(f'error: {error}\n{saved}'.rstrip())
        print(saved, file=sys.stderr)
        raise
    seconds = time.perf_counter() - start
    path, failed = _write(args.out, result)
    if failed is not None:
        sys.exit(f'error: {args.out} cannot be written ({failed}); the features are in {path}')
    files = args.out + (f' and {paths_file(args.out)}' if args.out.endswith('.npy') else '')
    count, dimension = result.features.shape
    print(f'{count} images, dimension {dimension}, {count / seconds:.1f} images/s: {files}')


if __name__ == '__main__':
    run_command(main)
