"""Read image files and handle broken ones."""

import io
import logging
import os
import re
import stat
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, cast

import numpy as np
from mmengine.fileio import get
from mmengine.logging import print_log
from PIL import Image, ImageColor, UnidentifiedImageError

from .folder_scan import shown
from .image_formats import image_formats
from .image_modes import ValueRange, correct_transparent_key, to_rgb, upright
from .lazy_jpeg import lazy_jpeg

# Above this limit, Pillow warns.
MAX_PIXELS = 89_478_485
_MARK = 'BrokenImageError: '
_KINDS = (
    (stat.S_ISDIR, 'a folder'),
    (stat.S_ISFIFO, 'a named pipe'),
    (stat.S_ISSOCK, 'a socket'),
    (lambda mode: not stat.S_ISREG(mode), 'a device'),
)

# Warnings about single files of a large folder would bury the run's own messages.
# Unreadable images raise errors anyway.
warnings.filterwarnings('ignore', module=r'PIL\.')
logging.getLogger('PIL').addHandler(logging.NullHandler())
_exif_is_said = False
_lowered_bound = threading.Lock()


class BrokenImageError(RuntimeError):
    """An image file that cannot be read correctly. The message names the file.

    Args:
        message (str): One line. If torch reports a worker's error with its
            traceback, only this line is kept.
        reason (str): Only the cause, without the file and the remedy.
    """

    def __init__(self, message: str, reason: str = '') -> None:
        super().__init__(message.rpartition(_MARK)[2].strip() if '\n' in message else message)
        self.reason = reason


class _Refusal(ValueError):
    """A file that is rejected before it is opened or decoded."""


def _check_background(background: str | Sequence[int]) -> tuple[int, int, int]:
    try:
        if isinstance(background, str):
            red, green, blue = ImageColor.getrgb(background)[:3]
        else:
            red, green, blue = map(int, background)
    except (TypeError, ValueError):
        red = green = blue = -1
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(
            f"background={background!r} must be a color such as 'white', or three numbers from 0 "
            'to 255'
        )
    return red, green, blue


def _check_range(value_range: Sequence[float] | None) -> ValueRange | None:
    if value_range is None:
        return None
    try:
        low, high = map(float, value_range)
    except (TypeError, ValueError):
        low = high = 0.0
    if not -np.inf < low < high < np.inf:
        raise ValueError(
            f'value_range={value_range!r} must be two numbers, (black, white), with black < white'
        )
    return low, high


@dataclass(frozen=True)
class ImageReader:
    """Read any image file as an image viewer shows it: upright, in 8-bit RGB.

    If a file has several frames or pages, the first is read. Color profiles are not
    applied.

    Args:
        background (str | Sequence[int]): The color behind transparent pixels: a
            name that Pillow knows, or RGB. Defaults to 'white'.
        value_range (Sequence[float], optional): The values of black and white
            in images with one 16-bit, 32-bit or floating-point channel.
            Defaults to None: the full range for 12 and 16 bits; other deep
            images are rejected.
        max_pixels (int): Images with more pixels are rejected before they are
            decoded. Defaults to 89,478,485, Pillow's limit.
        backend_args (dict, optional): mmengine's storage backend.

    Raises:
        ValueError: If a setting is invalid.
    """

    background: str | Sequence[int] = 'white'
    value_range: Sequence[float] | None = None
    max_pixels: int = MAX_PIXELS
    backend_args: dict | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, 'background', _check_background(self.background))
        object.__setattr__(self, 'value_range', _check_range(self.value_range))
        if not isinstance(self.max_pixels, int) or self.max_pixels < 1:
            raise ValueError(f'max_pixels={self.max_pixels!r} must be a positive integer')

    def read(self, path: str, lazy: bool = False) -> Image.Image:
        """Decode an image file completely.

        Args:
            path (str): The file.
            lazy (bool): Decode upright RGB JPEG files only when their pixels are needed
                (:class:`.LazyJpeg`). Defaults to False.

        Returns:
            Image.Image: RGB.

        Raises:
            FileNotFoundError: If the file does not exist.
            BrokenImageError: If the file is not an image, is truncated, cannot
                be read, or is rejected because of a setting.
        """
        cause: Exception
        try:
            with self._open(path) as file:
                return (self._lazy(file, path) if lazy else None) or self._decode(file, path)
        except FileNotFoundError as error:
            if not os.path.islink(path):
                raise FileNotFoundError(f'image {path!r} does not exist') from None
            cause, reason = error, 'it is a link to a file that does not exist'
        except Exception as error:  # Pillow's plugins raise all kinds of errors on damaged files
            cause, reason = error, self._reason(error)
        raise self._broken(path, reason) from cause

    def size(self, path: str) -> tuple[int, int]:
        """Height and width from a file's header; zeros if it cannot be read.

        Args:
            path (str): The file.

        Returns:
            tuple[int, int]: As stored, without rotation by EXIF data. :meth:`read`
            reports why it cannot be read.
        """
        try:
            with self._open(path) as file, Image.open(file, formats=image_formats()) as image:
                return image.height, image.width
        except Exception:  # Pillow's plugins raise all kinds of errors on damaged files
            return 0, 0

    def from_memory(self, image: np.ndarray | Image.Image) -> Image.Image:
        """Convert an array or a Pillow image by the same rules.

        Args:
            image (ndarray | Image.Image): (H, W, 3) uint8 RGB, or another array that
                Pillow accepts; or an image of any mode, which is rotated according to
                its EXIF data.

        Returns:
            Image.Image: RGB.

        Raises:
            BrokenImageError: If a Pillow image cannot be decoded or is rejected
                because of a setting.
        """
        if isinstance(image, np.ndarray):
            return self._to_rgb(Image.fromarray(image))
        path = getattr(image, 'filename', '') or 'in memory'
        try:
            return self._picture(image, path)
        except Exception as error:
            raise self._broken(path, self._reason(error)) from error

    @staticmethod
    def _broken(path: str, reason: str) -> BrokenImageError:
        return BrokenImageError(
            f'image {path!r} cannot be decoded ({reason}); repair or remove it, or set '
            'dataset.skip_broken=True to skip broken images',
            reason,
        )

    def _open(self, path: str) -> IO[bytes]:
        if self.backend_args is not None or '://' in path:
            return io.BytesIO(get(path, backend_args=self.backend_args))
        # Opening a named pipe would block forever.
        state = os.stat(path)
        if not stat.S_ISREG(state.st_mode):
            raise _Refusal(f'it is {next(kind for is_it, kind in _KINDS if is_it(state.st_mode))}')
        if not state.st_size:
            raise _Refusal('the file is empty')
        return open(path, 'rb')

    def _decode(self, file: IO[bytes], path: str) -> Image.Image:
        if Image.MAX_IMAGE_PIXELS is not None and self.max_pixels > Image.MAX_IMAGE_PIXELS:
            Image.MAX_IMAGE_PIXELS = self.max_pixels
        return self._picture(Image.open(file, formats=image_formats()), path)

    def _lazy(self, file: IO[bytes], path: str) -> Image.Image | None:
        image = lazy_jpeg(file.read(), lambda error: self._broken(path, self._reason(error)))
        if image is not None:
            self._check_size(image)
            if upright(image) == (None, True):
                return image
        file.seek(0)
        return None

    def _picture(self, image: Image.Image, path: str) -> Image.Image:
        self._check_size(image)
        correct_transparent_key(image)
        self._load(image)
        turn, exif_is_readable = upright(image)
        if not exif_is_readable:
            _say_once_that_exif_is_damaged(path)
        rgb = self._to_rgb(image)
        return turn(rgb) if turn else rgb

    def _to_rgb(self, image: Image.Image) -> Image.Image:
        background = cast(tuple[int, int, int], self.background)  # see __post_init__
        return to_rgb(image, background, cast(ValueRange | None, self.value_range))

    def _load(self, image: Image.Image) -> None:
        if image.format not in ('ICO', 'ICNS'):
            image.load()
            return
        # The image inside an icon can be larger than its header says; Pillow
        # refuses images above twice MAX_IMAGE_PIXELS.
        with _lowered_bound:
            before = Image.MAX_IMAGE_PIXELS
            Image.MAX_IMAGE_PIXELS = self.max_pixels / 2  # type: ignore[assignment]
            try:
                image.load()
            finally:
                Image.MAX_IMAGE_PIXELS = before

    def _check_size(self, image: Image.Image) -> None:
        width, height = image.size
        if width * height > self.max_pixels:
            raise _Refusal(self._too_large(f'{width} x {height} = {width * height}'))

    def _too_large(self, pixels: str) -> str:
        return (
            f'it has {pixels} pixels, more than max_pixels={self.max_pixels}: to read it, raise '
            'max_pixels of LoadImage'
        )

    def _reason(self, error: Exception) -> str:
        """The cause on one line, without the file."""
        if isinstance(error, UnidentifiedImageError):
            return 'it is not an image in a format that the installed Pillow reads'
        if isinstance(error, Image.DecompressionBombError):
            pixels = re.search(r'\((\d+) pixels\)', str(error))
            return self._too_large(pixels[1] if pixels else 'too many')
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        words = ' '.join(str(error).split())
        if isinstance(error, OSError | ValueError) and words:
            return words
        return f'{type(error).__name__}: {words}'.rstrip(': ')


def _say_once_that_exif_is_damaged(path: str) -> None:
    global _exif_is_said
    if not _exif_is_said:
        _exif_is_said = True
        print_log(
            f'image {path!r} has damaged EXIF data and is read without rotation '
            '(logged only for the first such image)',
            logger='current',
            level=30,
        )


def without_broken(data_list: list[dict], reader: ImageReader | None = None) -> list[dict]:
    """Drop the samples whose image cannot be decoded, and log how many.

    Every file is decoded once, in threads. On 2 cores this takes about 1 ms for a
    500-px JPEG, and much less for small images.

    Args:
        data_list (list[dict]): Samples with ``img_path``.
        reader (ImageReader, optional): The pipeline's reader. Defaults to None: a
            reader that accepts any range of values.

    Returns:
        list[dict]: The samples whose image can be decoded.

    Raises:
        BrokenImageError: If no image can be decoded.
    """
    reader = reader or ImageReader(value_range=(0, 1))

    def is_broken(path: str) -> bool:
        try:
            reader.read(path)
        except (BrokenImageError, FileNotFoundError):
            return True
        return False

    paths: Sequence[str] = [sample['img_path'] for sample in data_list]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        broken = list(pool.map(is_broken, paths, chunksize=64))
    names = [path for path, bad in zip(paths, broken, strict=True) if bad]
    if names:
        print_log(
            f'skipped {len(names)} of {len(paths)} images because they cannot be decoded: '
            f'{shown(names)}',
            logger='current',
            level=30,
        )
    if len(names) == len(paths):
        raise BrokenImageError(f'none of the {len(paths)} images can be decoded: {shown(names)}')
    return [sample for sample, bad in zip(data_list, broken, strict=True) if not bad]
