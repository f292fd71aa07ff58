"""Images given by a user: paths, folders, arrays or Pillow images."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.dataset import default_collate
from PIL import Image
from torch.utils.data import Dataset

from .batched_views import BatchedViews
from .decoded_cache import check_cache, reader_of, store_of, stored_pixels
from .decoded_store import DecodedStore
from .folder_scan import log_found, no_image_message, scan_folder, unreadable_error
from .image_file import BrokenImageError
from .image_formats import check_extensions
from .image_modes import correct_transparent_key
from .transforms.crop_resize import SMALL_SIDE

ImageInput = str | os.PathLike | np.ndarray | Image.Image


def _check_array(image: np.ndarray, where: str) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            f'{where} is an array of shape {image.shape} and dtype {image.dtype}; an image must be '
            'uint8 RGB, (H, W, 3)'
        )
    return image


def _check_image(image: np.ndarray | Image.Image, where: str) -> np.ndarray | Image.Image:
    if isinstance(image, np.ndarray):
        return _check_array(image, where)
    return _check_picture(image, where)


def _check_picture(image: Image.Image, where: str) -> Image.Image:
    if not image.width or not image.height:
        raise ValueError(
            f'{where} is a Pillow image without pixels: {image.width} x {image.height}'
        )
    return image


def _in_folder(folder: str, extensions: tuple[str, ...], skip_broken: bool) -> list[str]:
    scan = scan_folder(folder, extensions)
    if scan.unreadable and not skip_broken:
        raise unreadable_error(folder, scan)
    if not scan.files:
        layout = 'images at any depth'
        raise ValueError(no_image_message(folder, layout, extensions, scan.left_out()))
    log_found(folder, f'{len(scan.files)} images', scan.left_out())
    return [os.path.join(folder, name) for name in scan.files]


class ImageList:
    """A checked list of images, in the order in which they were given.

    Args:
        inputs (str | PathLike | ndarray | Image.Image | Iterable): A path, a
            folder (all images at any depth, sorted), a uint8 RGB array (H, W, 3),
            a Pillow image of any mode, or several of these. An array (N, H, W, 3)
            counts as N images.
        extensions (str | Sequence[str], optional): Extensions of images in
            folders; files given by name may have any extension. Defaults to
            None: every format that the installed Pillow reads.
        skip_broken (bool): Skip folders that cannot be listed. Defaults to
            False.

    Attributes:
        items (list[str | ndarray | Image.Image]): One entry per image.
        names (list[str]): The name of each image in errors: its path, or its
            position in ``inputs``.
        folder (str, optional): The folder, if ``inputs`` is a single one.

    Raises:
        FileNotFoundError: If a path does not exist.
        OSError: If a folder cannot be listed.
        ValueError: If the list is empty, a folder contains no image, or an array
            or a Pillow image is not a valid image.
        TypeError: If an input has another type.
    """

    def __init__(
        self,
        inputs: ImageInput | Iterable[ImageInput],
        extensions: str | Sequence[str] | None = None,
        skip_broken: bool = False,
    ) -> None:
        extensions = check_extensions(extensions)
        self.items: list[str | np.ndarray | Image.Image] = []
        self.names: list[str] = []
        self.folder: str | None = None
        missing = []
        entries = self._entries(inputs)
        for entry, where in entries:
            if isinstance(entry, np.ndarray | Image.Image):
                self._add(where, _check_image(entry, where))
                continue
            if not isinstance(entry, str | os.PathLike):
                raise TypeError(
                    f'{where} is a {type(entry).__name__}; expected a path, a uint8 RGB array '
                    '(H, W, 3) or a Pillow image'
                )
            path = os.path.expanduser(os.fspath(entry))
            if os.path.isdir(path):
                self.folder = path if len(entries) == 1 else None
                for file in _in_folder(path, extensions, skip_broken):
                    self._add(file, file)
            elif '://' in path or os.path.lexists(path):  # a broken link is a broken image
                self._add(path, path)
            else:
                missing.append(path)
        if missing:
            more = ', ...' if len(missing) > 5 else ''
            raise FileNotFoundError(
                f'{len(missing)} path(s) do not exist: {", ".join(map(repr, missing[:5]))}{more}'
            )
        if not self.items:
            raise ValueError('no images to read: the list of inputs is empty')

    def _add(self, name: str, item: str | np.ndarray | Image.Image) -> None:
        self.names.append(name)
        self.items.append(item)

    @staticmethod
    def _entries(inputs: Any) -> list[tuple[Any, str]]:
        """The individual inputs, each with its name in errors."""
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind not in 'OU' and inputs.ndim != 4:
            return [(inputs, 'inputs')]
        if isinstance(inputs, str | os.PathLike) or not isinstance(inputs, Iterable):
            return [(inputs, 'inputs')]
        return [(entry, f'inputs[{i}]') for i, entry in enumerate(inputs)]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def in_memory(self) -> bool:
        """Whether any image is an array or a Pillow image."""
        return any(not isinstance(item, str) for item in self.items)

    def path(self, row: int) -> str | None:
        """The path of an image; None for an array or a Pillow image."""
        item = self.items[row]
        return item if isinstance(item, str) else None


class ReadImages(NamedTuple):
    """A batch of images, some of which may be broken.

    Attributes:
        rows (list[int]): List positions of the decoded images.
        data (dict, optional): The decoded images, collated; None if there are none.
        broken (dict[int, str]): List positions of the broken images, each with the
            reason.
    """

    rows: list[int]
    data: dict | None
    broken: dict[int, str]


class ImageListDataset(Dataset):
    """The images of a list, each processed by a pipeline.

    For a broken image it returns the reason instead of raising an error: an error in
    a worker would arrive as a traceback, and would stop the intact images as well.

    A loader reads a batch with ``__getitems__``, which makes the views of small images
    together (:class:`.BatchedViews`). The samples are those of ``__getitem__``.

    Args:
        images (ImageList): The images.
        pipeline (Callable): Turns a dict with ``img_path`` or ``img`` into packed
            inputs.
        cache (str | bool): Keep the decoded images of a folder in a file, as
            :class:`.DecodedCache` does. Defaults to False.

    Raises:
        ValueError: If ``cache`` has another value, or is True and the images are not those
            of one folder, read by ``LoadImage``.
        OSError: If ``cache`` is True and the file cannot be written.
    """

    def __init__(
        self,
        images: ImageList,
        pipeline: Callable[[dict], dict],
        cache: str | bool = False,
    ) -> None:
        self.images = images
        self.pipeline = pipeline
        self._plan = BatchedViews.of(pipeline) if hasattr(pipeline, 'transforms') else None
        self._store, self._rows = self._open_store(check_cache(cache, 'cache'))
        self._broken: dict[int, str] = {}
        for row, item in enumerate(images.items):
            # Decode now: workers would share the open file and its position.
            if isinstance(item, Image.Image):
                try:
                    correct_transparent_key(item)
                    item.load()
                except Exception as error:  # Pillow raises all kinds of errors on damaged files
                    self._broken[row] = ' '.join(str(error).split()) or type(error).__name__

    def _open_store(self, cache: str | bool) -> tuple[DecodedStore | None, dict[Any, int]]:
        """The decoded images of a folder, and their rows."""
        if cache is True and self.images.folder is None:
            raise ValueError('cache=True needs a single folder as input; set cache=False')
        if self.images.folder is None:
            return None, {}
        paths = [item for item in self.images.items if isinstance(item, str)]
        store, ordered = store_of(paths, self.images.folder, self.pipeline, cache, 'cache')
        return store, {path: position for position, path in enumerate(ordered)}

    def __len__(self) -> int:
        return len(self.images)

    def _try(self, row: int, function: Callable[[dict], Any]) -> Any:
        """The result of a function on an image, or the reason why the image is broken."""
        if row in self._broken:
            return self._broken[row]
        item = self.images.items[row]
        info: dict[str, Any] = dict(img_path=item) if isinstance(item, str) else dict(img=item)
        try:
            if isinstance(item, str) and self._store is not None:
                reader = reader_of(self.pipeline)
                assert reader is not None
                info['img'] = stored_pixels(self._store, self._rows[item], reader, item)
            return function(dict(info, sample_idx=row))
        except BrokenImageError as error:
            return error.reason or str(error)
        except FileNotFoundError:
            return 'it no longer exists'

    def __getitem__(self, row: int) -> tuple[int, dict | str]:
        return row, self._try(row, self.pipeline)

    def __getitems__(self, rows: Sequence[int]) -> list[tuple[int, dict | str]]:
        if self._plan is None or not self._plan.draws_nothing:
            return [self[row] for row in rows]
        found = {row: self._try(row, self._loaded) for row in rows}
        waiting = [row for row in found if isinstance(found[row], dict) and 'img' in found[row]]
        made = self._plan.fixed([found[row] for row in waiting])
        found.update(zip(waiting, made, strict=True))
        return [(row, found[row]) for row in rows]

    def _loaded(self, info: dict) -> dict:
        """A sample with a small image as an array, or the finished sample of a large one."""
        assert self._plan is not None
        draws = self._plan.draw(info)
        # Large images would fill the memory if a batch of them were held.
        if max(info['img'].size) > SMALL_SIDE:
            return self._plan.finish([info], [draws])[0]
        return dict(info, img=np.asarray(info['img']))


def collate_read(samples: list[tuple[int, dict | str]]) -> ReadImages:
    """Collate samples of :class:`ImageListDataset`.

    Args:
        samples (list[tuple[int, dict | str]]): The row of each image, and its packed
            inputs or the reason why it is broken.

    Returns:
        ReadImages: The batch.
    """
    whole = {row: sample for row, sample in samples if not isinstance(sample, str)}
    broken = {row: reason for row, reason in samples if isinstance(reason, str)}
    return ReadImages(list(whole), default_collate(list(whole.values())) if whole else None, broken)
