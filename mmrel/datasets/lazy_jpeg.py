"""JPEG images that are decoded when their pixels are needed, maybe at a smaller size."""

import io
from collections.abc import Callable
from typing import Any

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

_SCALES = (8, 4, 2)


class LazyJpeg(JpegImageFile):
    """An RGB image whose size is known and whose pixels are decoded at first use.

    Before that, :meth:`shrink` can make the decoder give an eighth, a quarter or half of
    the size, which takes less time.

    Args:
        data (bytes): The file.
        broken (Callable): Makes the error to raise if decoding fails, from the cause.
    """

    scale = 1  # a copy by `copy` or `pickle` is a whole image

    def __init__(self, data: bytes, broken: Callable[[Exception], Exception]) -> None:
        super().__init__(io.BytesIO(data))
        self._broken = broken

    def shrink(self, factor: float) -> None:
        """Decode at a smaller size.

        Args:
            factor (float): How many times smaller the image may be. The largest power of
                2 up to it is used, 8 at most. Afterwards, ``scale`` is that power and
                ``size`` is smaller.
        """
        scale = next((scale for scale in _SCALES if scale <= factor), 1)
        if scale > 1 and self.scale == 1:
            width, height = self.size
            self.draft('RGB', (max(width // scale, 1), max(height // scale, 1)))
            # Pillow may use less, for images that are only a few pixels wide.
            self.scale = round(width / self.size[0])

    def load(self) -> Any:
        """Decode the pixels, if that has not been done.

        Raises:
            Exception: From ``broken``, if the file is damaged.
        """
        try:
            return super().load()
        except Exception as error:
            raise self._broken(error) from error


def lazy_jpeg(data: bytes, broken: Callable[[Exception], Exception]) -> LazyJpeg | None:
    """A lazily decoded image, if a file is a JPEG file in RGB.

    Args:
        data (bytes): The file.
        broken (Callable): See :class:`LazyJpeg`.

    Returns:
        LazyJpeg, optional: The image; None if the file must be read in another way.
    """
    try:
        image = LazyJpeg(data, broken)
    except SyntaxError:  # Pillow's: not a JPEG file, or a damaged header
        return None
    return image if image.mode == 'RGB' else None


def cropped(
    image: Image.Image, box: tuple[int, int, int, int], size: int, resample: Image.Resampling
) -> Image.Image:
    """Crop and resize a lazy image whose decoder may have shrunk it.

    Args:
        image (Image.Image): The image.
        box (tuple[int, int, int, int]): Left, top, right and bottom, in the pixels of the
            original size.
        size (int): Side of the result.
        resample (Image.Resampling): Pillow's filter.

    Returns:
        Image.Image: (size, size).
    """
    scale = getattr(image, 'scale', 1)
    if scale == 1:
        return image.crop(box).resize((size, size), resample)
    left, top, right, bottom = (side / scale for side in box)
    right, bottom = min(right, image.width), min(bottom, image.height)
    return image.resize((size, size), resample, box=(left, top, right, bottom))
