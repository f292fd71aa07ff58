"""Images as a user names them: paths, folders or arrays."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.dataset import default_collate
from torch.utils.data import Dataset

from .folder_scan import log_found, no_image_message, scan_folder, unreadable_error
from .image_file import BrokenImageError
from .image_formats import check_extensions

ImageInput = str | os.PathLike | np.ndarray


def _check_array(image: np.ndarray, where: str) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            f'{where} is an array of shape {image.shape} and dtype {image.dtype}; an image must be '
            'RGB, (H, W, 3), uint8'
        )
    return image


def _in_folder(folder: str, extensions: tuple[str, ...], skip_broken: bool) -> list[str]:
    scan = scan_folder(folder, extensions)
    if scan.unreadable and not skip_broken:
        raise unreadable_error(folder, scan)
    if not scan.files:
        layout = 'images anywhere below it'
        raise ValueError(no_image_message(folder, layout, extensions, scan.left_out()))
    log_found(folder, f'{len(scan.files)} images', scan.left_out())
    return [os.path.join(folder, name) for name in scan.files]


class ImageList:
    """Images in the order in which they were named, checked to be there.

    Args:
        inputs (str | PathLike | ndarray | Iterable): A path, a folder (all
            images below it, sorted), an RGB array (H, W, 3) uint8, or several
            of them; an array (N, H, W, 3) is N images.
        extensions (str | Sequence[str], optional): Extensions of images in
            folders; a file given by name may have any. Defaults to None: those
            of all formats that the installed Pillow reads.
        skip_broken (bool): Leave out folders that cannot be listed. Defaults to
            False.

    Attributes:
        items (list[str | ndarray]): One entry an image.

    Raises:
        FileNotFoundError: If a path does not exist.
        OSError: If a folder cannot be listed.
        ValueError: If there is no input, no image in a folder, or an array is
            no image.
        TypeError: If an input is something else.
    """

    def __init__(
        self,
        inputs: ImageInput | Iterable[ImageInput],
        extensions: str | Sequence[str] | None = None,
        skip_broken: bool = False,
    ) -> None:
        extensions = check_extensions(extensions)
        self.items: list[str | np.ndarray] = []
        missing = []
        for entry, where in self._entries(inputs):
            if isinstance(entry, np.ndarray):
                self.items.append(_check_array(entry, where))
                continue
            if not isinstance(entry, str | os.PathLike):
                raise TypeError(
                    f'{where} is a {type(entry).__name__}; expected a path or an RGB array '
                    '(H, W, 3), uint8'
                )
            path = os.path.expanduser(os.fspath(entry))
            if os.path.isdir(path):
                self.items += _in_folder(path, extensions, skip_broken)
            elif '://' in path or os.path.lexists(path):  # a broken link is a broken image
                self.items.append(path)
            else:
                missing.append(path)
        if missing:
            more = ', ...' if len(missing) > 5 else ''
            raise FileNotFoundError(
                f'{len(missing)} path(s) do not exist: {", ".join(map(repr, missing[:5]))}{more}'
            )
        if not self.items:
            raise ValueError('there is no image to read: the list of inputs is empty')

    @staticmethod
    def _entries(inputs: Any) -> list[tuple[Any, str]]:
        """The single inputs, and how an error names them."""
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind not in 'OU' and inputs.ndim != 4:
            return [(inputs, 'inputs')]
        if isinstance(inputs, str | os.PathLike) or not isinstance(inputs, Iterable):
            return [(inputs, 'inputs')]
        return [(entry, f'inputs[{i}]') for i, entry in enumerate(inputs)]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def has_arrays(self) -> bool:
        """Whether an image is given as an array."""
        return any(isinstance(item, np.ndarray) for item in self.items)

    def path(self, row: int) -> str | None:
        """The path of an image, None for an array."""
        item = self.items[row]
        return item if isinstance(item, str) else None


class ReadImages(NamedTuple):
    """A batch of images, as far as they could be decoded.

    Attributes:
        rows (list[int]): The places in the list of those that could.
        data (dict, optional): They, collated; None where there are none.
        broken (dict[int, str]): The others' places, and why they could not.
    """

    rows: list[int]
    data: dict | None
    broken: dict[int, str]


class ImageListDataset(Dataset):
    """The images of a list, each put through a pipeline.

    A broken image is an entry that says so, not an error: what a worker raises
    would arrive as a traceback, and stop images that are whole.

    Args:
        images (ImageList): The images.
        pipeline (Callable): From ``img_path`` or ``img`` to packed inputs.
    """

    def __init__(self, images: ImageList, pipeline: Callable[[dict], dict]) -> None:
        self.images = images
        self.pipeline = pipeline

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[int, dict | str]:
        item = self.images.items[row]
        results = dict(img_path=item) if isinstance(item, str) else dict(img=item)
        try:
            return row, self.pipeline(dict(results, sample_idx=row))
        except BrokenImageError as error:
            return row, error.reason or str(error)
        except FileNotFoundError:
            return row, 'it is no longer there'


def collate_read(samples: list[tuple[int, dict | str]]) -> ReadImages:
    """Collate what :class:`ImageListDataset` gives.

    Args:
        samples (list[tuple[int, dict | str]]): The row, and the packed inputs
            or why there are none.

    Returns:
        ReadImages: The batch.
    """
    whole = {row: sample for row, sample in samples if not isinstance(sample, str)}
    broken = {row: reason for row, reason in samples if isinstance(reason, str)}
    return ReadImages(list(whole), default_collate(list(whole.values())) if whole else None, broken)
