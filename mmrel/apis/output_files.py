"""Output files of the commands, checked before the results are computed."""

import os
import tempfile
from collections.abc import Callable, Sequence


def check_ending(path: str, endings: Sequence[str], what: str) -> str:
    """The extension of an output file, which selects its format.

    Args:
        path (str): The output file.
        endings (Sequence[str]): The supported extensions.
        what (str): The contents of the file, for the message.

    Returns:
        str: The extension.

    Raises:
        ValueError: If the extension is not supported.
    """
    ending = os.path.splitext(path)[1]
    if ending not in endings:
        raise ValueError(
            f'{what} cannot be written to {path!r}: the file extension must be '
            f'{" or ".join(endings)}'
        )
    return ending


def check_writable(path: str, endings: Sequence[str], what: str) -> None:
    """Check in advance that a file can be written.

    Args:
        path (str): The output file; its folder is created if needed.
        endings (Sequence[str]): As for :func:`check_ending`.
        what (str): As for :func:`check_ending`.

    Raises:
        ValueError: If the extension is not supported.
        ImportError: If the format needs a package that is missing.
        OSError: If the folder cannot be created or is not writable, or if the path
            is a folder.
    """
    if check_ending(path, endings, what) == '.parquet':
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            others = ' or '.join(ending for ending in endings if ending != '.parquet')
            raise ImportError(
                f'{path!r} needs pyarrow ({error}): pip install pyarrow, or write a {others} file'
            ) from error
    folder = os.path.dirname(path) or '.'
    os.makedirs(folder, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f'folder {folder!r} is not writable')
    if os.path.isdir(path):
        raise IsADirectoryError(f'{path!r} is a folder: give a file name')


def check_texts(path: str, names: Sequence[str], other: str) -> None:
    """Check that Parquet can store the images' paths.

    Args:
        path (str): The output file; only .parquet has this limit.
        names (Sequence[str]): The images' paths.
        other (str): The extension to use instead, for the message.

    Raises:
        ValueError: If a path is not UTF-8.
    """
    if os.path.splitext(path)[1] != '.parquet':
        return
    for name in names:
        if name.isprintable():
            continue
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f'path {name!r} is not UTF-8: rename it, or write a {other} file'
            ) from None


def partial_file(path: str) -> str:
    """The file for finished rows if the rest fails: features.npy -> features.partial.npy."""
    stem, ending = os.path.splitext(path)
    return f'{stem}.partial{ending}'


def write_or_rescue(path: str, write: Callable[[str], None]) -> tuple[str, OSError | None]:
    """Write a file; if that fails, write it to a new temporary folder.

    Args:
        path (str): The file.
        write (Callable[[str], None]): Writes to a given path.

    Returns:
        tuple[str, OSError | None]: The path of the file, and the error, if any.
    """
    try:
        write(path)
    except OSError as error:
        rescue = os.path.join(tempfile.mkdtemp(prefix='mmrel-'), os.path.basename(path))
        write(rescue)
        return rescue, error
    return path, None
