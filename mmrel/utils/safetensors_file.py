"""Read and write checkpoints as .safetensors: tensors, and a JSON header.

A checkpoint's metadata is stored as JSON in one string of the header's metadata, ``meta``.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any, BinaryIO

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from .files import write_atomically
from .pickle_entries import DamagedContent

ENDING = '.safetensors'
_META = 'meta'
# A ResNet-50's header has 40 kB. Parsing takes about 20 times the size in memory.
_MAX_HEADER = 8_000_000
# The limit of TensorIterator, which most of torch's functions use.
_MAX_DIMS = 64


def looks_like_safetensors(head: bytes) -> bool:
    """Whether a file that begins with these 9 bytes is a .safetensors file.

    The header's length comes first, as 8 bytes, and may start like a pickle.
    """
    return head[5:] == b'\x00\x00\x00{'


def read_safetensors(file: BinaryIO, size: int) -> dict[str, Any]:
    """Read a .safetensors file.

    Args:
        file (BinaryIO): The file, positioned at its start.
        size (int): Its size in bytes.

    Returns:
        dict: ``state_dict`` and ``meta``. Other programs' entries in the header's
        metadata are dropped.

    Raises:
        DamagedContent: If the file is invalid.
    """
    length = int.from_bytes(file.read(8), 'little')
    if size < 10 or length > size - 8:
        raise DamagedContent(
            f'it is damaged or truncated (a header of {length} bytes in a file of {size})'
        )
    if length > _MAX_HEADER:
        raise DamagedContent(f'its header has {length} bytes, more than {_MAX_HEADER}')
    names, meta = _check_header(file.read(length))
    file.seek(0)
    try:
        state = safetensors.torch.load(file.read())
    except (SafetensorError, RuntimeError, AssertionError, KeyError) as error:
        raise DamagedContent(f'it is damaged or truncated ({str(error)[:150]})') from None
    # The package returns the tensors in random order.
    return dict(meta=meta, state_dict={name: _true_or_false(state[name]) for name in names})


def _true_or_false(value: Tensor) -> Tensor:
    """Normalize bools: the package accepts a byte of 7, which torch does not equate with True."""
    return value.view(torch.uint8).ne(0) if value.dtype == torch.bool else value


def _check_header(raw: bytes) -> tuple[list[str], dict[str, Any]]:
    """Check what the package does not. Returns the tensors' names and ``meta``."""
    header = _parse(raw, 'header')
    metadata = header.pop('__metadata__', None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise DamagedContent('its __metadata__ must be a dict of strings')
    for key, entry in header.items():
        shape = entry.get('shape') if isinstance(entry, dict) else None
        if not isinstance(shape, list):
            raise DamagedContent(f'its entry {key[:60]!r} is invalid')
        if len(shape) > _MAX_DIMS:
            raise DamagedContent(f'{key[:60]!r} has too many dimensions ({len(shape)})')
    meta = _parse(metadata[_META].encode(), _META) if _META in metadata else {}
    return list(header), meta


def _parse(raw: bytes, what: str) -> dict[str, Any]:
    try:
        parsed = json.loads(raw, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedContent(f'its {what} is not valid JSON ({str(error)[:150]})') from None
    if not isinstance(parsed, dict):
        raise DamagedContent(f'its {what} is a {type(parsed).__name__} instead of a dict')
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject duplicate keys: readers disagree on which one counts."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f'{twice[:60]!r} is a duplicate key')
    return unique


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a valid number')


def safetensors_bytes(content: Mapping[str, Any]) -> bytes:
    """A checkpoint as the bytes of a .safetensors file. Equal contents give equal bytes.

    Args:
        content (Mapping): ``state_dict``, with dense tensors in any memory layout, and
            optionally ``meta``, with JSON values. Tensors that share memory are written
            separately.

    Returns:
        bytes: The file.

    Raises:
        ValueError: If a value cannot be written. The message has its key.
    """
    state = {key: _packed(key, value) for key, value in content['state_dict'].items()}
    meta = dict(content.get('meta') or {})
    _check_keys(meta, _META)
    try:
        text = json.dumps(meta, allow_nan=False)
        # A single entry, because the package writes several in random order.
        return safetensors.torch.save(state, {_META: text})
    except (TypeError, ValueError, KeyError, SafetensorError) as error:
        raise ValueError(f'the checkpoint cannot be written as safetensors: {error}') from error


def save_safetensors(content: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Write a checkpoint as .safetensors, atomically.

    :func:`.checkpoint.load_checkpoint_file` and any program that uses the safetensors
    package can read it.

    Args:
        content (Mapping): See :func:`safetensors_bytes`.
        path (str | PathLike): The file. Its folder is created if needed.

    Raises:
        ValueError: If the path does not end in .safetensors, or a value cannot be
            written. The message has its key.
        OSError: If the file cannot be written. An existing file is left untouched.
    """
    path = os.fspath(path)
    if not path.endswith(ENDING):
        raise ValueError(f'{path!r} must end in {ENDING}')
    write_atomically(safetensors_bytes(content), path)


def _packed(key: str, value: Any) -> Tensor:
    """A contiguous copy of a tensor, as the format requires."""
    if not isinstance(value, Tensor):
        raise ValueError(f'safetensors holds only tensors; {key} is of type {type(value).__name__}')
    if value.layout != torch.strided or value.is_quantized:
        raise ValueError(f'safetensors holds only dense tensors; {key} is sparse or quantized')
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)


def _check_keys(value: Any, place: str) -> None:
    """Reject non-string keys, because JSON would turn numbers into strings."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str):
                raise ValueError(f'{place}: the key {key!r} must be a string')
            _check_keys(part, f'{place}.{key}')
    elif isinstance(value, list | tuple):
        for part in value:
            _check_keys(part, place)
