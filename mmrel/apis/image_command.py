"""What the commands on images share: arguments, errors, partial results."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from mmrel.datasets.image_file import BrokenImageError
from mmrel.datasets.image_list import ImageList
from mmrel.utils.command_line import ConfigOptions

from .half_precision import DTYPES
from .image_model import ImageModel
from .output_files import partial_file, write_or_rescue

EXPECTED = (ImportError, KeyError, OSError, RuntimeError, ValueError)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that select the network.

    Args:
        parser (ArgumentParser): The parser; ``model`` becomes its first argument.
    """
    parser.add_argument('model', help='a name of mmrel.apis.list_models(), or a config file')
    parser.add_argument(
        '--pretrained', metavar='CKPT', default=True,
        help='a training checkpoint or a published backbone (default: the released weights)',
    )  # fmt: skip
    parser.add_argument(
        '--teacher',
        action='store_true',
        help="use the momentum teacher's network (ReSSL, SimMatch)",
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that select the images and how they are processed.

    Args:
        parser (ArgumentParser): A parser that has the model's arguments.
    """
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='image files and folders')
    parser.add_argument('--batch-size', type=int, default=64, help='images per batch (default: 64)')
    parser.add_argument(
        '--num-workers', type=int, default=min(4, os.cpu_count() or 1),
        help='processes that read images (default: one per core, at most 4)',
    )  # fmt: skip
    parser.add_argument(
        '--device', help='device, such as cpu or cuda:1 (default: a GPU if available)'
    )
    parser.add_argument(
        '--dtype', choices=list(DTYPES), default='float32',
        help='autocast to half precision; the output stays float32 (default: float32)',
    )  # fmt: skip
    parser.add_argument(
        '--channels-last',
        action='store_true',
        help='use the channels-last memory format, for speed',
    )
    parser.add_argument(
        '--skip-broken', action='store_true', help='skip images that cannot be decoded'
    )
    parser.add_argument(
        '--extensions', nargs='+', metavar='EXT',
        help='extensions of images in folders, such as .webp .png (default: all that Pillow reads)',
    )  # fmt: skip
    parser.add_argument(
        '--no-cache',
        action='store_true',
        help='do not keep the decoded images of a large folder of small images',
    )
    parser.add_argument('--no-progress', action='store_true', help='show no progress bar')


def image_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of :class:`.ImageModel` from the command line.

    Args:
        args (Namespace): The arguments added by both functions above.

    Returns:
        dict[str, Any]: Keyword arguments.
    """
    return dict(
        model=args.model,
        pretrained=args.pretrained,
        device=args.device,
        batch_size=args.batch_size,
        num_workers=args.num_workers,
        skip_broken=args.skip_broken,
        progress=not args.no_progress,
        cfg_options=args.cfg_options,
        extensions=args.extensions,
        teacher=args.teacher,
        dtype=args.dtype,
        channels_last=args.channels_last,
        cache=False if args.no_cache else 'auto',
    )


def stop(error: BaseException) -> NoReturn:
    """End the command with an expected error's message.

    Args:
        error (BaseException): The error.

    Raises:
        SystemExit: Always.
    """
    # str() of a KeyError adds quotes to the message.
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    sys.exit(f'error: {text}')


def run_on_images(
    args: argparse.Namespace,
    check: Callable[[ImageList], None],
    build: Callable[..., ImageModel],
    compute: Callable[[Any, ImageList], Any],
    write: Callable[[str, Any], None],
) -> tuple[Any, float]:
    """Compute a command's result and write it to ``args.out``.

    If an error occurs midway, the finished rows are written to
    :func:`.partial_file` before the error is reported.

    Args:
        args (Namespace): The command-line arguments, with ``out``.
        check (Callable): Raises an error if the result for the images cannot be
            written; called before the model is built.
        build (Callable): Builds the model from :func:`image_settings`.
        compute (Callable): Computes a result with ``rows`` from model and images.
        write (Callable): Writes a result to a path.

    Returns:
        tuple[Any, float]: The result, and how many seconds it took.

    Raises:
        SystemExit: After an error whose message explains it.
    """
    try:
        # Run the quick checks first.
        images = ImageList(args.inputs, args.extensions, args.skip_broken)
        check(images)
        model = build(**image_settings(args))
    except EXPECTED as error:
        stop(error)
    start = time.perf_counter()
    try:
        result = compute(model, images)
    except (Exception, KeyboardInterrupt) as error:
        saved = _save_finished(args.out, write, error)
        if isinstance(error, BrokenImageError):
            sys.exit(f'error: {error}\n{saved}'.rstrip())
        print(saved, file=sys.stderr)
        raise
    seconds = time.perf_counter() - start
    path, failed = write_or_rescue(args.out, lambda path: write(path, result))
    if failed is not None:
        what = model.output
        sys.exit(f'error: {args.out} cannot be written ({failed}); the {what} are in {path}')
    return result, seconds


def _save_finished(out: str, write: Callable[[str, Any], None], error: BaseException) -> str:
    """Write the rows finished before an error; return a message that says where."""
    if not hasattr(error, 'finished'):
        return ''
    finished = error.finished
    if not finished.rows:
        return 'no image was finished before the error'
    path, _ = write_or_rescue(partial_file(out), lambda path: write(path, finished))
    return f'the results of the {len(finished.rows)} finished images are in {path}'
