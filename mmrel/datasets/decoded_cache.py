"""Decode the images of a set once, and keep the pixels for all later epochs and runs."""

import errno
import hashlib
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import PIL
from mmengine.logging import print_log
from PIL import features

from mmrel.utils.download import home_folder
from mmrel.utils.mixin import Mixin
from mmrel.version import __version__

from .decoded_store import DecodedStore
from .image_file import ImageReader
from .transforms import LoadImage

# 'auto' stores images up to this side, in sets from this number of images up to this size.
_SIDE = 96
_LEAST = 1000
_MOST_MB = 2048
_MB = 2**20
_PROBED = 32
_CHUNK = 256
_ROW = 'decoded_row'


def reader_of(pipeline: Any) -> ImageReader | None:
    """The reader of a pipeline's ``LoadImage``; None if the pipeline has none.

    Args:
        pipeline (Compose): The pipeline.

    Returns:
        ImageReader | None: The reader.
    """
    loads = [step for step in pipeline.transforms if isinstance(step, LoadImage)]
    return loads[0].reader if loads else None


def _whole_reader(pipeline: Any) -> ImageReader | None:
    """The reader of a pipeline that begins with ``LoadImage`` and decodes whole images."""
    first = next(iter(getattr(pipeline, 'transforms', ())), None)
    # An earlier step might choose another file.
    return first.reader if isinstance(first, LoadImage) and not first.draft else None


def _row(position: int, path: str) -> tuple[int, int]:
    """What a sample keeps: its row, and a mark of the file that the row stores."""
    return position, zlib.crc32(os.fsencode(path))


def info_with_pixels(dataset: Any, row: int, pipeline: Any) -> dict:
    """A sample's info, with its pixels as ``img`` if the dataset stores them.

    Args:
        dataset (BaseDataset): Any dataset.
        row (int): The sample.
        pipeline (Compose): What the info is for. Pixels are added only if it would decode
            the file in the same way.

    Returns:
        dict: The input of ``pipeline``.
    """
    if isinstance(dataset, DecodedCache):
        return dataset.read_info(row, pipeline)
    return dataset.get_data_info(row)


class DecodedCache(Mixin):
    """Mixin for datasets of image files: a file with the decoded images.

    All processes and runs that read the same files share it. It is in ``decoded`` below
    ``MMREL_HOME`` (by default torch hub's folder) and can be deleted at any time. It is made
    anew if the name, size or time of a file changes. Samples are the same with and without it.

    Args:
        cache (str | bool): Keep the decoded images, 8-bit RGB: 'auto' (sets of at least
            1,000 images of up to 96 px that take up to 2,048 MB, if the disk has twice that
            room), True (any set), or False. Defaults to 'auto': decoding takes much of the
            time that a small image's sample takes, and the file is small.

    Raises:
        ValueError: If ``cache`` has another value, or is True and the files are remote or
            not read by ``LoadImage``.
        OSError: If ``cache`` is True and the file cannot be written.
    """

    def __init__(self, *args: Any, cache: str | bool = 'auto', **kwargs: Any) -> None:
        self.cache = check_cache(cache, 'dataset.cache')
        self._store: DecodedStore | None = None
        self._store_reader: ImageReader | None = None
        self._checked: tuple[Any, bool] = (None, False)
        super().__init__(*args, **kwargs)

    def with_store(self, samples: list[dict], root: str) -> list[dict]:
        """Open the file with the decoded images, and add each sample's row in it.

        Args:
            samples (list[dict]): Samples with ``img_path``; changed in place.
            root (str): Their folder.

        Returns:
            list[dict]: The samples.
        """
        self._store_reader = _whole_reader(self.pipeline)
        paths = [sample['img_path'] for sample in samples]
        self._store, paths = store_of(paths, root, self.pipeline, self.cache)
        if self._store is not None:
            rows = {path: _row(position, path) for position, path in enumerate(paths)}
            for sample in samples:
                sample[_ROW] = rows[sample['img_path']]
        return samples

    def get_data_info(self, idx: int) -> dict:
        """A sample's info, as it is without the store."""
        info = super().get_data_info(idx)
        info.pop(_ROW, None)
        return info

    def read_info(self, row: int, pipeline: Any) -> dict:
        """See :func:`info_with_pixels`."""
        info = super().get_data_info(row)
        mark = info.pop(_ROW, None)
        if type(self).get_data_info is not DecodedCache.get_data_info:
            info = self.get_data_info(row)
        if mark is None or self._store is None or 'img' in info or not self._fits(pipeline):
            return info
        stored = mark[0]
        if mark != _row(stored, info['img_path']):  # a subclass has chosen another file
            return info
        assert self._store_reader is not None
        pixels = stored_pixels(self._store, stored, self._store_reader, info['img_path'])
        return dict(info, img=pixels)

    def _fits(self, pipeline: Any) -> bool:
        """Whether a pipeline decodes as the store does; hooks replace pipelines."""
        if self._checked[0] is not pipeline:
            self._checked = pipeline, _whole_reader(pipeline) == self._store_reader
        return self._checked[1]

    def prepare_data(self, idx: int) -> Any:
        """The sample that the pipeline gives."""
        return self.pipeline(self.read_info(idx, self.pipeline))


def check_cache(cache: str | bool, name: str) -> str | bool:
    """Check a setting of :class:`DecodedCache`.

    Args:
        cache (str | bool): The value.
        name (str): The setting's name.

    Returns:
        str | bool: 'auto', True or False.

    Raises:
        ValueError: If it is anything else.
    """
    if cache not in ('auto', True, False):
        raise ValueError(f"{name}={cache!r} must be 'auto', True or False")
    return cache if cache == 'auto' else bool(cache)


def stored_pixels(store: DecodedStore, row: int, reader: ImageReader, path: str) -> np.ndarray:
    """Read an image from a store; decode and store it first if it is missing.

    Args:
        store (DecodedStore): The store.
        row (int): The image's row in it.
        reader (ImageReader): Decodes the file.
        path (str): The file.

    Returns:
        ndarray: RGB, (H, W, 3), uint8.

    Raises:
        FileNotFoundError, BrokenImageError: As for :meth:`.ImageReader.read`.
    """
    pixels = store.get(row)
    if pixels is None:
        # Not a Pillow image: it might still carry the EXIF orientation.
        pixels = np.asarray(reader.read(path))
        store.put(row, pixels)
    return pixels


def store_of(
    paths: Sequence[str], root: str, pipeline: Any, cache: str | bool, name: str = 'dataset.cache'
) -> tuple[DecodedStore | None, list[str]]:
    """Open the store of decoded images for some files, if ``cache`` says so.

    Args:
        paths (Sequence[str]): The files.
        root (str): Their folder.
        pipeline (Compose): Reads them.
        cache (str | bool): As for :class:`DecodedCache`.
        name (str): The setting's name. Defaults to that of datasets.

    Returns:
        tuple[DecodedStore | None, list[str]]: The store, None if nothing is stored, and
        the files in the order of its rows.

    Raises:
        ValueError: If ``cache`` is True and the files are remote or not read by ``LoadImage``.
        OSError: If ``cache`` is True and the store cannot be written.
    """
    if cache is False or not paths:
        return None, []
    reader = _whole_reader(pipeline)
    if reader is None or reader.backend_args is not None or '://' in root:
        if cache is True:
            raise ValueError(
                f'{name}=True needs local files and a pipeline that begins with LoadImage '
                f'(without backend_args and draft=True); set {name}=False'
            )
        return None, []
    # Checking a few images first is faster than sorting the paths of a large set.
    if cache == 'auto' and not _is_small(paths, reader):
        return None, []
    ordered = sorted(set(paths))
    return open_store(ordered, root, reader, cache is True, name), ordered


def open_store(
    paths: Sequence[str],
    root: str,
    reader: ImageReader,
    always: bool,
    name: str = 'dataset.cache',
) -> DecodedStore | None:
    """Open the store of some files, and create it if needed.

    Args:
        paths (Sequence[str]): The files, sorted. A file's position is its row.
        root (str): Their folder.
        reader (ImageReader): Decodes them.
        always (bool): Store images of any size, and fail if that is impossible.
        name (str): Name of the setting in messages. Defaults to that of datasets.

    Returns:
        DecodedStore | None: The store; None if no image can be stored.

    Raises:
        OSError: If ``always`` is set and the store cannot be written.
    """
    # What is made of the same file may change with a version.
    codecs = [features.version(codec) for codec in ('jpg', 'webp')]
    settings = f'{__version__} {PIL.__version__} {codecs}\n{reader}'
    # The same for every spelling of the root.
    inside = [path.removeprefix(root).lstrip('/') for path in paths]
    names = _hash([os.path.realpath(root), settings, *inside])
    digest = _hash([settings, *_parallel(_state, paths)])
    path = os.path.join(home_folder(), 'decoded', f'{names[:24]}.decoded')
    with suppress(OSError, ValueError):
        return DecodedStore(path, digest, len(paths))
    sizes = [
        h * w * 3 if always or max(h, w) <= _SIDE else 0 for h, w in _parallel(reader.size, paths)
    ]
    if not any(sizes):  # reading the images will report why
        return None
    return _created(path, digest, sizes, root, always, name)


def _created(
    path: str, digest: str, sizes: list[int], root: str, always: bool, name: str
) -> DecodedStore | None:
    needed = f'{sum(sizes) / _MB:,.0f} MB in {os.path.dirname(path)!r}'
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        free = shutil.disk_usage(os.path.dirname(path)).free
        if not always and free < 2 * sum(sizes):
            raise OSError(errno.ENOSPC, f'only {free / _MB:,.0f} MB are free')
        DecodedStore.create(path, digest, sizes)
        store = DecodedStore(path, digest, len(sizes))
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        remedy = 'set MMREL_HOME to a folder that you can write to'
        if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT):
            remedy = 'free disk space, set MMREL_HOME to a folder on another disk'
        message = (
            f'the decoded images of {root!r} cannot be stored, which takes {needed}: {reason}; '
            f'{remedy}, or set {name}=False'
        )
        if always:
            raise OSError(message) from error
        print_log(f'{message} (the run continues)', logger='current', level=logging.WARNING)
        return None
    print_log(f'{root}: decoded images are stored, {needed}', logger='current')
    return store


def _is_small(paths: Sequence[str], reader: ImageReader) -> bool:
    """Whether 'auto' stores a set, judged by a few images."""
    if len(paths) < _LEAST:
        return False
    sizes = [reader.size(path) for path in paths[:: max(1, len(paths) // _PROBED)]]
    mean = sum(h * w * 3 for h, w in sizes) / len(sizes)
    return 0 < max(map(max, sizes)) <= _SIDE and mean * len(paths) <= _MOST_MB * _MB


def _parallel(function: Callable[[str], Any], paths: Sequence[str]) -> list:
    # Threads hide the latency of a network disk. A task per file would cost more than `stat`.
    parts = [paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [x for part in pool.map(lambda part: list(map(function, part)), parts) for x in part]


def _state(path: str) -> str:
    try:
        state = os.stat(path)
    except OSError:
        return 'missing'
    return f'{state.st_size} {state.st_mtime_ns}'


def _hash(lines: Sequence[str]) -> str:
    return hashlib.sha256('\n'.join(map(repr, lines)).encode()).hexdigest()
