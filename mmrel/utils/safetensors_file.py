"""Reading and writing checkpoints as .safetensors: tensors, and a JSON header.

The metadata of a checkpoint is one entry of the header's string metadata, ``meta``, as JSON.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from .files import write_atomically
from .unpickler import DamagedContent

ENDING = '.safetensors'
_META = 'meta'
# A ResNet-50's header has 40 kB; parsing takes some twenty times the size in memory.
_MAX_HEADER = 8_000_000
# TensorIterator, which most of torch's functions use, has no more.
_MAX_DIMS = 64


def looks_like_safetensors(head: bytes) -> bool:
    """Whether a file that begins with these 9 bytes is a .safetensors file.

    The header's length comes first, as 8 bytes: a pickle's first byte may be among them.
    """
    return head[5:] == b'\x00\x00\x00{'


def read_safetensors(file: BinaryIO, size: int) -> dict[str, Any]:
    """Read a .safetensors file.

    Args:
        file (BinaryIO): Open at its start.
        size (int): Its number of bytes.

    Returns:
        dict: ``state_dict`` and ``meta``. Strings of other programs in the header's
        metadata are left out.

    Raises:
        DamagedContent: If the file is not valid.
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
    # The package returns them in a random order.
    return dict(meta=meta, state_dict={name: _true_or_false(state[name]) for name in names})


def _true_or_false(value: Tensor) -> Tensor:
    """A byte of 7 is a bool for the package, but not equal to True for torch."""
    return value.view(torch.uint8).ne(0) if value.dtype == torch.bool else value


def _check_header(raw: bytes) -> tuple[list[str], dict[str, Any]]:
    """Check what the package leaves open; returns the tensors' names and ``meta``."""
    header = _parse(raw, 'header')
    metadata = header.pop('__metadata__', None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise DamagedContent('its __metadata__ must be a dict of texts')
    for key, entry in header.items():
        shape = entry.get('shape') if isinstance(entry, dict) else None
        if not isinstance(shape, list):
            raise DamagedContent(f'its entry {key[:60]!r} is not valid')
        if len(shape) > _MAX_DIMS:
            raise DamagedContent(f'{key[:60]!r} has {len(shape)} dimensions')
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
    """Readers differ in which of two equal keys they take."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f'{twice[:60]!r} is in it twice')
    return unique


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a valid number')


def safetensors_bytes(content: Mapping[str, Any]) -> bytes:
    """A checkpoint as the bytes of a .safetensors file; equal contents give equal bytes.

    Args:
        content (Mapping): ``state_dict``, tensors of any layout in memory, and ``meta``
            (optional) of values that JSON knows. Tensors that share memory are written
            each for itself.

    Returns:
        bytes: The file.

    Raises:
        ValueError: If a value cannot be written; the message has its key.
    """
    state = {key: _packed(key, value) for key, value in content['state_dict'].items()}
    meta = dict(content.get('meta') or {})
    _check_keys(meta, _META)
    try:
        text = json.dumps(meta, allow_nan=False)
        # A sole entry: the package writes several in a random order.
        return safetensors.torch.save(state, {_META: text})
    except (TypeError, ValueError, KeyError, SafetensorError) as error:
        raise ValueError(f'the checkpoint cannot be written as safetensors: {error}') from error


def save_safetensors(content: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Write a checkpoint as .safetensors, so that the old or the new file is there.

    :func:`.checkpoint.load_checkpoint_file` reads it, and so does every program that uses
    the safetensors package.

    Args:
        content (Mapping): As :func:`safetensors_bytes`.
        path (str | PathLike): The file; its folder is made if needed.

    Raises:
        ValueError: If the path does not end in .safetensors, or a value cannot be
            written; the message has its key.
        OSError: If the file cannot be written; one that was there is untouched.
    """
    path = os.fspath(path)
    if not path.endswith(ENDING):
        raise ValueError(f'{path!r} must end in {ENDING}')
    write_atomically(safetensors_bytes(content), path)


def _packed(key: str, value: Any) -> Tensor:
    """A tensor with its own memory, in the order that the format asks for."""
    if not isinstance(value, Tensor):
        raise ValueError(f'safetensors holds only tensors; {key} is of type {type(value).__name__}')
    if value.layout != torch.strided or value.is_quantized:
        raise ValueError(f'safetensors holds only dense tensors; {key} is sparse or quantized')
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)


def _check_keys(value: Any, place: str) -> None:
    """JSON would turn keys that are numbers into texts."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str):
                raise ValueError(f'{place}: the key {key!r} must be a text')
            _check_keys(part, f'{place}.{key}')
    elif isinstance(value, list | tuple):
        for part in value:
            _check_keys(part, place)
