"""Write files completely or not at all."""

import io
import itertools
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

import torch

from .processes import signature

_COUNT = itertools.count()


def write_together(writers: Mapping[str, Callable[[BinaryIO], Any]], shared: bool = False) -> None:
    """Write files that belong together. None is replaced before all are complete.

    Args:
        writers (Mapping[str, Callable]): For each path, a function that writes
            the content to an open binary file. Folders are created if needed.
        shared (bool): Whether other processes may write the same files at the
            same time; the last writer wins. Defaults to False.

    Raises:
        OSError: If a file cannot be written. Existing files are left untouched.
            Other errors of a writer are passed on, with the same effect.
    """
    # Signed, so that the next start can remove it if this process is killed.
    own = f'.{signature()}.{next(_COUNT)}' if shared else ''
    partials = {path: f'{path}{own}.partial' for path in writers}
    try:
        for path, write in writers.items():
            os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
            with open(partials[path], 'wb') as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
        for path, partial in partials.items():
            os.replace(partial, path)
    except BaseException:
        for partial in partials.values():
            with suppress(OSError):
                os.remove(partial)
        raise


def write_atomically(content: bytes, path: str, shared: bool = False) -> None:
    """Write a file atomically: either the old or the new version always exists.

    Args:
        content (bytes): The content.
        path (str): The file. Its folder is created if needed.
        shared (bool): See :func:`write_together`.

    Raises:
        OSError: If it cannot be written. An existing file is left untouched.
    """
    write_together({path: lambda file: file.write(content)}, shared)


def save_atomically(content: Any, path: str) -> None:
    """``torch.save`` through :func:`write_atomically`.

    Args:
        content: The object to save.
        path (str): The file.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(buffer.getvalue(), path)
