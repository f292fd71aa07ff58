"""Files that are whole or not there at all."""

import io
import os
from contextlib import suppress
from typing import Any

import torch


def write_atomically(content: bytes, path: str) -> None:
    """Write a file so that, whatever happens, the old or the new one is there.

    Args:
        content (bytes): What to write.
        path (str): The file; its folder is made if needed.

    Raises:
        OSError: If it cannot be written; a file that was there is untouched.
    """
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    partial = f'{path}.partial'
    try:
        with open(partial, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            os.remove(partial)
        raise


def save_atomically(content: Any, path: str) -> None:
    """``torch.save`` by :func:`write_atomically`.

    Args:
        content: As ``torch.save``.
        path (str): The file.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(buffer.getvalue(), path)
