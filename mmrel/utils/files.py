"""Files that are whole or not there at all."""

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
    """Write files that belong together; none is replaced before all are complete.

    Args:
        writers (Mapping[str, Callable]): For each path a function that writes
            the content to an open binary file. Folders are made if needed.
        shared (bool): Other processes may write the same files at the same
            time; the last one's are there then. Defaults to False.

    Raises:
        OSError: If one cannot be written; files that were there are untouched.
            Whatever a writer raises goes through, with the same effect.
    """
    # Signed: the next start removes it if this process is killed.
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
    """Write a file so that, whatever happens, the old or the new one is there.

    Args:
        content (bytes): What to write.
        path (str): The file; its folder is made if needed.
        shared (bool): As :func:`write_together`.

    Raises:
        OSError: If it cannot be written; a file that was there is untouched.
    """
    write_together({path: lambda file: file.write(content)}, shared)


def save_atomically(content: Any, path: str) -> None:
    """``torch.save`` by :func:`write_atomically`.

    Args:
        content: As ``torch.save``.
        path (str): The file.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(buffer.getvalue(), path)
