"""Load checkpoints without ever running code that they contain.

mmengine loads every file through ``CheckpointLoader``; :mod:`.safe_loading` connects it to
this module. Pickles are read by :mod:`.unpickler`, never by Python's or torch's
unpickler, and .safetensors files by :mod:`.safetensors_file`. The metadata of both is
checked by :mod:`.checkpoint_content`. See docs/security.md for what is allowed.
"""

import io
import os
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import torch
from torch import Tensor

from .checkpoint_content import clean_content
from .pickle_assembler import Assembler
from .pickle_entries import DamagedContent, StorageEntry, UnsafeContent
from .safetensors_file import ENDING, looks_like_safetensors, read_safetensors
from .unpickler import Pickle, read_pickle

_DEFAULT_GB = 2.0
_LIMIT = 'MMREL_MAX_CHECKPOINT_GB'
# Written by torch.save before torch 1.6.
_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_CHUNK = 1 << 24


def load_checkpoint_file(file: str | os.PathLike | BinaryIO, map_location: Any = 'cpu') -> Any:
    """Load a checkpoint without running or importing anything that it contains.

    It reads files written by torch.save and .safetensors files. The format is detected
    from the content, not from the name.

    Args:
        file (str | PathLike | BinaryIO): A path or an open binary file.
        map_location: Same as in :func:`torch.load`. None: the CPU.

    Returns:
        dict: The content, usually with ``state_dict`` and ``meta``. ``meta.config`` is
        removed, because mmengine would run it.

    Raises:
        FileNotFoundError: If the file does not exist.
        IsADirectoryError: If it is a folder.
        OSError: If it cannot be opened, for example without permission.
        RuntimeError: If the file is not a checkpoint, is damaged, would take far more
            memory than its size, or holds objects other than tensors, plain values and
            mmengine's training history. Nothing in it has been run.
    """
    name = getattr(file, 'name', '<stream>')
    if isinstance(file, str | os.PathLike):
        file = name = os.path.expanduser(os.fspath(file))
    try:
        with _opened(file, name) as opened:
            content = _read_damaged_or_not(opened, str(name), map_location)
        if not isinstance(content, dict):
            raise DamagedContent(f'it holds a {type(content).__name__} instead of a dict')
        clean_content(content)
        return content
    except UnsafeContent as error:
        raise RuntimeError(
            f'checkpoint {name!r} was refused: it holds objects other than tensors and plain '
            f'values, and loading them could run code ({_line(error)})'
        ) from None
    except (DamagedContent, MemoryError) as error:
        reason = _line(error) or 'it does not fit into memory'
        raise RuntimeError(f'checkpoint {name!r} cannot be read: {reason}') from None


def _line(error: Exception) -> str:
    """The message in one line, without unprintable characters from the file."""
    return ''.join(char if char.isprintable() else ' ' for char in str(error))


def _read_damaged_or_not(file: BinaryIO, name: str, map_location: Any) -> Any:
    try:
        return _read(file, name, map_location)
    except (UnsafeContent, DamagedContent, MemoryError):
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError,
            ArithmeticError, LookupError, TypeError, ValueError) as error:  # fmt: skip
        # zipfile raises many kinds of errors for a damaged file.
        raise DamagedContent(f'it is damaged or truncated ({_line(error)[:150]})') from error


@contextmanager
def _opened(file: str | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """A seekable binary file."""
    if not isinstance(file, str):
        yield io.BytesIO(file.read())
        return
    try:
        mode = os.stat(file).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(f'checkpoint {name!r} is a folder: give a file in it')
        if not stat.S_ISREG(mode):
            raise OSError(f'checkpoint {name!r} is not a regular file')
        opened = open(file, 'rb')  # noqa: SIM115
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f'checkpoint {name!r} does not exist') from None
    except OSError as error:
        if error.errno is None or isinstance(error, IsADirectoryError):
            raise
        raise type(error)(f'checkpoint {name!r} cannot be opened: {error.strerror}') from None
    except ValueError as error:
        raise FileNotFoundError(f'checkpoint {name!r} is not a valid file name') from error
    with opened:
        yield opened


class _Bounded:
    """A file whose ``read`` never allocates more than the rest of the file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size, self.readline = file, size, file.readline

    def read(self, count: int) -> bytes:
        return self._file.read(min(count, self._size - self._file.tell()))


def _max_bytes(size: int) -> int:
    """The number of bytes that a file of ``size`` bytes may unpack to."""
    text = os.environ.get(_LIMIT) or str(_DEFAULT_GB)
    try:
        limit = int(float(text) * 1e9)
    except (ValueError, OverflowError):
        limit = -1
    if limit <= 0:
        raise DamagedContent(f'{_LIMIT}={text!r} must be a positive number')
    return max(limit, size)


def _read(file: BinaryIO, name: str, map_location: Any) -> Any:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(9)
    file.seek(0)
    if not head:
        raise DamagedContent('it is empty (0 bytes)')
    allowed = _max_bytes(size)
    is_zip = head[:4] == b'PK\x03\x04'
    if looks_like_safetensors(head) or (name.endswith(ENDING) and not is_zip):
        content = read_safetensors(file, size)
        state = content['state_dict'].items()
        return content | dict(state_dict={k: _moved(value, map_location) for k, value in state})
    if is_zip:
        pickle, storages = _read_zip(file, allowed, map_location)
    elif head[:1] == b'\x80':
        pickle, storages = _read_legacy(_Bounded(file, size), map_location)
    else:
        start = file.read(16)
        raise DamagedContent(f'it is not a checkpoint; it begins with {start!r}')
    # Tensors may share memory, for example student and teacher at the start of a run.
    return Assembler(storages, max(allowed, 8 * size)).finish(pickle.root)


def _read_zip(
    file: BinaryIO, allowed: int, map_location: Any
) -> tuple[Pickle, dict[str, torch.UntypedStorage]]:
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        total = sum(info.file_size for info in archive.infolist())
        if total > allowed:
            raise DamagedContent(
                f'its entries unpack to {total / 1e9:.3g} GB, more than {allowed / 1e9:.3g} GB '
                f'(the size of the file, or {_LIMIT}, which you can raise)'
            )
        odd = [
            info.filename
            for info in entries.values()
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            or info.flag_bits & 1
        ]
        roots = [name for name in entries if name.endswith('/data.pkl') and name.count('/') == 1]
        if odd or len(roots) != 1:
            raise DamagedContent('it is a zip file that torch.save did not write')
        prefix = roots[0].removesuffix('data.pkl')
        if f'{prefix}constants.pkl' in entries:
            raise UnsafeContent('it is a TorchScript program')
        order = archive.read(f'{prefix}byteorder') if f'{prefix}byteorder' in entries else b'little'
        if order not in (b'little', b'big'):
            raise DamagedContent(f'its byte order {order[:16]!r} is unknown')
        pickle = read_pickle(io.BytesIO(archive.read(roots[0])))
        storages = {}
        for key, entry in pickle.storages.items():
            info = entries.get(f'{prefix}data/{key}')
            if info is None or info.file_size != entry.nbytes:
                has = 'is missing' if info is None else f'has {info.file_size} bytes'
                raise DamagedContent(
                    f'the storage {key[:20]!r} {has}, expected {entry.nbytes} bytes'
                )
            with archive.open(info) as part:
                data = _fill(part, entry)
            storages[key] = _place(data, entry, order.decode(), map_location)
    return pickle, storages


def _read_legacy(file: Any, map_location: Any) -> tuple[Pickle, dict[str, torch.UntypedStorage]]:
    """Read a file from before torch 1.6: pickles, then the storages one after another."""
    magic, protocol = read_pickle(file).root, read_pickle(file).root
    if magic != _LEGACY_MAGIC or protocol != _LEGACY_PROTOCOL:
        raise UnsafeContent('a bare pickle, which torch.save does not write')
    system = read_pickle(file).root
    order = 'little' if not isinstance(system, dict) or system.get('little_endian') else 'big'
    pickle = read_pickle(file)
    keys = read_pickle(file).root
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(pickle.storages):
        raise DamagedContent('its list of storages does not match its tensors')
    storages = {}
    for key in keys:
        entry = pickle.storages[key]
        if int.from_bytes(file.read(8), 'little') != entry.numel:
            raise DamagedContent(f'the storage {key[:20]!r} does not have {entry.numel} elements')
        storages[key] = _place(_fill(file, entry), entry, order, map_location)
    return pickle, storages


def _fill(source: Any, entry: StorageEntry) -> Tensor:
    """Read a storage's bytes, allocating memory only as they arrive."""
    parts, left = [], entry.nbytes
    while left:
        part = source.read(min(left, _CHUNK))
        if not part:
            raise DamagedContent('it is truncated: tensor data is missing')
        parts.append(torch.frombuffer(bytearray(part), dtype=torch.uint8))
        left -= len(part)
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.uint8)


def _place(
    data: Tensor, entry: StorageEntry, order: str, map_location: Any
) -> torch.UntypedStorage:
    """Move a storage to its device, in this machine's byte order."""
    if order != sys.byteorder:
        parts = entry.dtype.itemsize // (2 if entry.dtype.is_complex else 1)
        data = data.view(-1, parts).flip(1).contiguous().view(-1)
    if entry.dtype == torch.bool:
        data = data.ne(0).view(torch.uint8)
    return _located(data, entry.location, map_location)


def _located(data: Tensor, location: str, map_location: Any) -> torch.UntypedStorage:
    """Move a storage saved from ``location`` to the device that torch.load would use."""
    if isinstance(map_location, dict):
        map_location = map_location.get(location, 'cpu')
    if callable(map_location):
        storage = data.untyped_storage()
        return map_location(storage, location) or storage
    return data.to(map_location or 'cpu').untyped_storage()


def _moved(value: Tensor, map_location: Any) -> Tensor:
    """Move a whole CPU tensor."""
    storage = _located(value, 'cpu', map_location)
    whole = torch.empty(0, dtype=value.dtype, device=storage.device)
    return whole.set_(storage, 0, value.shape)  # type: ignore[call-overload]
