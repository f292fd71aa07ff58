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
    """The arguments that say which network is used.

    Args:
        parser (ArgumentParser): ``model`` comes first.
    """
    parser.add_argument('model', help='a name of mmrel.apis.list_models(), or a config file')
    parser.add_argument(
        '--pretrained', metavar='CKPT', default=True,
        help='a training checkpoint or a published backbone; left out: the released weights',
    )  # fmt: skip
    parser.add_argument(
        '--teacher', action='store_true', help="the momentum teacher's network (ReSSL, SimMatch)"
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='changes of the config, as a.b=value'
    )


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which images are read, and how.

    Args:
        parser (ArgumentParser): With the model's arguments.
    """
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='image files and folders')
    parser.add_argument('--batch-size', type=int, default=64, help='images at a time (64)')
    parser.add_argument(
        '--num-workers', type=int, default=min(4, os.cpu_count() or 1),
        help='processes that read images (one a core, 4 at most)',
    )  # fmt: skip
    parser.add_argument('--device', help='such as cpu or cuda:1 (a GPU where there is one)')
    parser.add_argument(
        '--dtype', choices=list(DTYPES), default='float32',
        help='half precision by autocast; what is written is float32 (float32)',
    )  # fmt: skip
    parser.add_argument(
        '--channels-last', action='store_true', help='channels-last memory format, for speed'
    )
    parser.add_argument(
        '--skip-broken', action='store_true', help='leave out images that cannot be decoded'
    )
    parser.add_argument(
        '--extensions', nargs='+', metavar='EXT',
        help='extensions of images in folders, such as .webp .png (all that Pillow reads)',
    )  # fmt: skip
    parser.add_argument('--no-progress', action='store_true', help='show no progress bar')


def image_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of :class:`.ImageModel`, from the command line's.

    Args:
        args (Namespace): With the arguments of both functions above.

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
    )


def stop(error: BaseException) -> NoReturn:
    """End the command with an expected error's message.

    Args:
        error (BaseException): The error.

    Raises:
        SystemExit: Always.
    """
    # str() of a KeyError is the message in quotes.
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    sys.exit(f'error: {text}')


def run_on_images(
    args: argparse.Namespace,
    check: Callable[[ImageList], None],
    build: Callable[..., ImageModel],
    compute: Callable[[Any, ImageList], Any],
    write: Callable[[str, Any], None],
) -> tuple[Any, float]:
    """Compute what a command is for, and write it to ``args.out``.

    An error in the middle costs nothing that is done: the finished rows are
    written to NAME.partial before it is reported.

    Args:
        args (Namespace): The command line's, with ``out``.
        check (Callable): Refuses images whose result cannot be written; called
            before the model is built.
        build (Callable): Makes the model from :func:`image_settings`.
        compute (Callable): From model and images to a result with ``rows``.
        write (Callable): Writes a result to a path.

    Returns:
        tuple[Any, float]: The result, and the seconds that it took.

    Raises:
        SystemExit: After an error that is explained by its message.
    """
    try:
        # The quick checks first.
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
    """Write what was done before an error, and say where it is."""
    if not hasattr(error, 'finished'):
        return ''
    finished = error.finished
    if not finished.rows:
        return 'nothing was finished before'
    path, _ = write_or_rescue(partial_file(out), lambda path: write(path, finished))
    return f'the {len(finished.rows)} finished images are in {path}'
