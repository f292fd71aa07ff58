"""A file of decoded images that all processes of a machine share.

The file has a header (JSON), a table and the pixels. Its whole size is reserved when it is
created, so a full disk is noticed then. Each image is written when it is first decoded, with
a checksum: an image that is missing, or that a killed process wrote in part, counts as not
stored. Two processes that write the same image write the same bytes.
"""

import fcntl
import json
import mmap
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mmrel.utils.leftovers import remove_partial_files
from mmrel.utils.processes import signature

_FORMAT = 'mmrel decoded images 1'
_HEADER = 4096
_ROW = np.dtype([('start', '<u8'), ('height', '<u4'), ('width', '<u4'), ('checksum', '<u4')])
_UNUSED_DAYS = 30
_DAY = 86400
_BLOCK = 2**20


def _checksum(pixels: np.ndarray) -> int:
    """CRC-32 of the size and the pixels; never 0, which stands for a missing image."""
    size = zlib.crc32(b'%d %d' % pixels.shape[:2])
    return zlib.crc32(np.ascontiguousarray(pixels).data, size) or 1


class DecodedStore:
    """Images by row number, in one memory-mapped file.

    Args:
        path (str): The file, from :meth:`create`.
        digest (str): Identifies the images and how they are decoded.
        rows (int, optional): Number of images. Defaults to None: any number.

    Raises:
        ValueError: If the file is damaged, its digest or its number of images differs, or
            it belongs neither to this user nor to the owner of its folder.
        OSError: If it cannot be opened for reading and writing.
    """

    def __init__(self, path: str, digest: str, rows: int | None = None) -> None:
        self.path, self.digest = path, digest
        with open(path, 'r+b') as file:
            state = os.fstat(file.fileno())
            # In a folder that several users can write to, anyone could leave a file.
            if state.st_uid not in (os.geteuid(), os.stat(os.path.dirname(path) or '.').st_uid):
                raise ValueError(f'{path!r} belongs to another user')
            header = self._read_header(file.read(_HEADER))
            if header['digest'] != digest or rows not in (None, header['rows']):
                raise ValueError(f'{path!r} stores other images')
            rows = header['rows']
            pixels = _HEADER + rows * _ROW.itemsize
            if state.st_size != pixels + header['pixels']:
                raise ValueError(f'{path!r} is incomplete')
            # Holds the file open: it stays readable if another process replaces it.
            self._map = mmap.mmap(file.fileno(), 0)
        self._table = np.frombuffer(self._map, _ROW, rows, _HEADER)
        self._pixels = np.frombuffer(self._map, np.uint8, offset=pixels)
        self._shown = self._pixels.view()
        self._shown.flags.writeable = False
        # The places are read once, so that no later change of the file leads elsewhere.
        starts = np.append(self._table['start'], np.uint64(self._pixels.size))
        if starts[0] != 0 or (starts[1:] < starts[:-1]).any():
            raise ValueError(f'{path!r} is damaged')
        self._starts = starts.astype(np.int64)
        with suppress(OSError):
            os.utime(path)  # it is in use (_remove_unused)

    def __reduce__(self) -> tuple:
        # A copy, or a started worker, maps the same file.
        return reopened, (self.path, self.digest)

    def __len__(self) -> int:
        return len(self._table)

    @staticmethod
    def _read_header(content: bytes) -> dict:
        with suppress(ValueError):
            header = json.loads(content.rstrip(b'\0'))
            if isinstance(header, dict) and header.get('format') == _FORMAT:
                numbers = [header.get(key) for key in ('rows', 'pixels')]
                if 'digest' in header and all(type(n) is int and n > 0 for n in numbers):
                    return header
        raise ValueError('the file does not contain decoded images')

    @classmethod
    def create(cls, path: str, digest: str, sizes: Sequence[int]) -> None:
        """Create the file of a set, or keep the one that another process has created.

        Args:
            path (str): The file. Its folder is created if needed.
            digest (str): Identifies the images and how they are decoded. A file with
                another digest is replaced.
            sizes (Sequence[int]): Each image's room in bytes; 0: it is not stored.

        Raises:
            OSError: If it cannot be written, for example because the disk is full.
        """
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # Signed, so that the next start can remove it if this process is killed.
        partial = f'{path}.{signature()}.0.partial'
        with _locked(f'{path}.lock'):
            with suppress(ValueError, OSError):
                cls(path, digest)
                return
            remove_partial_files(os.path.dirname(path))
            _remove_unused(Path(path).parent)
            with suppress(FileNotFoundError):
                os.remove(partial)  # of an earlier process with this one's number
            try:
                _write(partial, digest, sizes)
                os.replace(partial, path)
            finally:
                with suppress(FileNotFoundError):
                    os.remove(partial)

    def get(self, row: int) -> np.ndarray | None:
        """An image, or None if it is not stored yet.

        Args:
            row (int): Its number.

        Returns:
            ndarray | None: RGB, (H, W, 3), uint8. A view of the file: not to be changed.
        """
        _, height, width, checksum = self._table[row].item()
        start, end = self._starts[row : row + 2].tolist()
        size = height * width * 3
        if not checksum or not 0 < size <= end - start:
            return None
        pixels = self._shown[start : start + size].reshape(height, width, 3)
        return pixels if _checksum(pixels) == checksum else None

    def put(self, row: int, pixels: np.ndarray) -> None:
        """Store an image. One that is larger than its room is ignored.

        Args:
            row (int): Its number.
            pixels (ndarray): RGB, (H, W, 3), uint8.
        """
        start, end = self._starts[row : row + 2].tolist()
        if pixels.size > end - start:
            return
        self._pixels[start : start + pixels.size] = pixels.ravel()
        self._table[row] = (start, *pixels.shape[:2], _checksum(pixels))


def reopened(path: str, digest: str) -> DecodedStore | None:
    """Open a store again; None if its file is gone or has been replaced.

    Args:
        path (str): See :class:`DecodedStore`.
        digest (str): See :class:`DecodedStore`.

    Returns:
        DecodedStore | None: The store.
    """
    try:
        return DecodedStore(path, digest)
    except (OSError, ValueError):
        return None


@contextmanager
def _locked(path: str) -> Iterator[None]:
    # 'a': a link that someone left here must not empty the file that it leads to.
    with open(path, 'a', opener=_no_link) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _write(path: str, digest: str, sizes: Sequence[int]) -> None:
    table = np.zeros(len(sizes), _ROW)
    table['start'] = np.cumsum([0, *sizes], dtype=np.uint64)[:-1]
    header = dict(format=_FORMAT, digest=digest, rows=len(sizes), pixels=sum(sizes))
    with open(path, 'xb') as file:
        file.write(json.dumps(header).encode().ljust(_HEADER, b'\0'))
        file.write(table.tobytes())
        file.flush()
        # Writing to a hole of a mapped file would kill the process if the disk were full.
        _reserve(file, sum(sizes))


def _reserve(file: BinaryIO, size: int) -> None:
    if hasattr(os, 'posix_fallocate'):
        os.posix_fallocate(file.fileno(), file.tell(), size)
        return
    block = bytes(_BLOCK)  # macOS lacks the call
    for start in range(0, size, _BLOCK):
        file.write(block[: size - start])


def _remove_unused(folder: Path) -> None:
    """Remove the stores that no process has opened or changed for a month."""
    oldest = time.time() - _UNUSED_DAYS * _DAY
    for file in folder.glob('*.decoded*'):
        with suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()
