"""Files that the commands write: checked before there is anything to write."""

import os
import tempfile
from collections.abc import Callable, Sequence


def check_ending(path: str, endings: Sequence[str], what: str) -> str:
    """The ending of a file to be, which says its format.

    Args:
        path (str): The file.
        endings (Sequence[str]): Those that are supported.
        what (str): What the file will hold, for the message.

    Returns:
        str: The ending.

    Raises:
        ValueError: If it is not one of ``endings``.
    """
    ending = os.path.splitext(path)[1]
    if ending not in endings:
        raise ValueError(
            f'{what} cannot be written to {path!r}: the ending must be {" or ".join(endings)}'
        )
    return ending


def check_writable(path: str, endings: Sequence[str], what: str) -> None:
    """Whether a file can be written, asked before there is anything to write.

    Args:
        path (str): The file to be; its folder is made if needed.
        endings (Sequence[str]): As :func:`check_ending`.
        what (str): As :func:`check_ending`.

    Raises:
        ValueError: If the ending is not supported.
        ImportError: If it needs a package that is missing.
        OSError: If the folder cannot be made or written, or the path is one.
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
        raise PermissionError(f'folder {folder!r} cannot be written')
    if os.path.isdir(path):
        raise IsADirectoryError(f'{path!r} is a folder: give the name of a file')


def check_texts(path: str, names: Sequence[str], other: str) -> None:
    """Whether the images' paths are texts that Parquet can hold.

    Args:
        path (str): The file to be; only .parquet has this limit.
        names (Sequence[str]): The images' paths.
        other (str): The ending to use instead, for the message.

    Raises:
        ValueError: If one is not UTF-8.
    """
    if os.path.splitext(path)[1] != '.parquet':
        return
    for name in names:
        if name.isprintable():
            continue
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f'path {name!r} is not UTF-8: rename it, or write {other}') from None


def partial_file(path: str) -> str:
    """Where finished rows go if the rest fails: features.npy -> features.partial.npy."""
    stem, ending = os.path.splitext(path)
    return f'{stem}.partial{ending}'


def write_or_rescue(path: str, write: Callable[[str], None]) -> tuple[str, OSError | None]:
    """Write a file; where that fails, into a new temporary folder.

    Args:
        path (str): The file.
        write (Callable[[str], None]): Writes to the path that it is given.

    Returns:
        tuple[str, OSError | None]: Where the file is, and what failed.
    """
    try:
        write(path)
    except OSError as error:
        rescue = os.path.join(tempfile.mkdtemp(prefix='mmrel-'), os.path.basename(path))
        write(rescue)
        return rescue, error
    return path, None
