"""Convert any image that Pillow has decoded to upright 8-bit RGB.

Training sees what an image viewer shows: depth, transparency and orientation are
resolved here. An image whose range of values is unknown is rejected; the range is
not guessed.
"""

from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image

ValueRange = tuple[float, float]

_ROWS = 256  # rows converted at a time, to bound the memory that deep images take

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# TIFF tags and their values.
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1


class UnknownRangeError(ValueError):
    """The range of an image's values is unknown, so the user must set it."""


def correct_transparent_key(image: Image.Image) -> None:
    """Scale the transparent gray value of a PNG in the same way as its pixels.

    Pillow scales 1-, 2- and 4-bit gray values to 0 to 255, but does not scale the
    value in the ``tRNS`` chunk.

    Args:
        image (Image.Image): An opened image that is not loaded yet; changed in
            place.

    Raises:
        ValueError: If Pillow drops bits that the comparison needs.
    """
    key = image.info.get('transparency')
    if image.format != 'PNG' or key is None or isinstance(key, bytes):
        return
    tiles = getattr(image, 'tile', None)
    if not tiles:
        return
    raw_mode = tiles[0][3]
    if raw_mode == 'RGB;16B':
        raise ValueError(
            'the transparent color (tRNS) of a 16-bit color image cannot be matched exactly: save '
            'the image with an alpha channel'
        )
    bits = {'1': 1, 'L;2': 2, 'L;4': 4}.get(raw_mode)
    if bits and key < 1 << bits:
        image.info['transparency'] = key * 255 // ((1 << bits) - 1)


def upright(image: Image.Image) -> tuple[Callable[[Image.Image], Image.Image] | None, bool]:
    """How to rotate an image by its EXIF orientation, and whether the EXIF data is readable.

    ``ImageOps.exif_transpose`` is not used: after rotating, it rewrites the EXIF data,
    which fails if the data is damaged.

    Args:
        image (Image.Image): A loaded image. Pillow has already rotated TIFF files.

    Returns:
        tuple: A function that rotates an image (None: nothing to do), and whether
        the EXIF data is readable. If it is damaged, the image is read as stored.
    """
    try:
        exif = image.getexif()
        method = _UPRIGHT.get(exif.get(ExifTags.Base.Orientation, 1))
        readable = bool(exif) or not image.info.get('exif')
    except Exception:  # Pillow's parser raises all kinds of errors on damaged data
        return None, False
    if method is None:
        return None, readable
    return lambda picture: picture.transpose(method), readable


def to_rgb(
    image: Image.Image, background: tuple[int, int, int], value_range: ValueRange | None = None
) -> Image.Image:
    """Convert an image to 8-bit RGB.

    Args:
        image (Image.Image): A loaded image of any mode.
        background (tuple[int, int, int]): RGB color behind transparent pixels.
        value_range (tuple[float, float], optional): The values of black and
            white in images with one deep channel. Defaults to None: the range that
            the file defines.

    Returns:
        Image.Image: RGB; the image itself if it is already RGB.

    Raises:
        UnknownRangeError: If the image has deep values of unknown range.
        ValueError: If Pillow cannot convert the image, or a value is not finite.
    """
    if image.mode in ('I', 'F') or image.mode.startswith('I;16'):
        image = _deep_to_8_bits(image, value_range)
    if image.has_transparency_data:
        return _on_background(image, background)
    return image if image.mode == 'RGB' else image.convert('RGB')


def _on_background(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if image.mode == 'La':
        image = image.convert('LA')  # the only conversion from La that Pillow has
    rgba = image if image.mode == 'RGBA' else image.convert('RGBA')
    canvas = Image.new('RGB', rgba.size, background)
    canvas.paste(rgba, (0, 0), rgba)
    return canvas


def _known_range(image: Image.Image) -> ValueRange | None:
    """The values of black and white that the file format defines."""
    if image.mode.startswith('I;16'):
        bits = getattr(image, 'tag_v2', {}).get(_BITS, (16,))[0]
        return 0, 2**bits - 1
    # Pillow scales these to 16 bits, whatever their depth.
    if image.mode == 'I' and image.format in ('PNG', 'PPM'):
        return 0, 65535
    return None


def _deep_to_8_bits(image: Image.Image, value_range: ValueRange | None) -> Image.Image:
    """Convert to mode L, or to LA if one value is transparent."""
    bounds = value_range or _known_range(image)
    if bounds is None:
        kind = '32-bit integers' if image.mode == 'I' else 'floating-point numbers'
        raise UnknownRangeError(
            f'its values are {kind} of unknown range: set value_range=(black, white) of LoadImage'
        )
    values = np.asarray(image)
    tags = getattr(image, 'tag_v2', {})
    if image.mode == 'I' and tags.get(_BITS) == (32,):
        # Pillow stores 32-bit unsigned integers as signed ones.
        unsigned = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED
        values = values.view(np.uint32) if unsigned else values
    gray = _quantize(values, *bounds)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        gray = 255 - gray  # Pillow does this for 8 bits only
    result = Image.fromarray(gray)
    key = image.info.get('transparency')
    if isinstance(key, int):
        opaque = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
        result = Image.merge('LA', (result, opaque))
    return result


def _quantize(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map [low, high] to 0 to 255, rounding half up; for 16 bits this is round(v / 257)."""

    def scaled(part: np.ndarray) -> np.ndarray:
        part = np.clip(part.astype(np.float64), low, high) - low
        return np.floor(part * 255 / (high - low) + 0.5).astype(np.uint8)

    if values.dtype.itemsize == 2:
        return scaled(np.arange(65536))[values]
    if values.dtype.kind == 'f' and not np.isfinite(values).all():
        raise ValueError('some of its values are not finite')
    result = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):
        result[start : start + _ROWS] = scaled(values[start : start + _ROWS])
    return result
