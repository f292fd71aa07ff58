"""Turn any image that Pillow has decoded upright and into 8-bit RGB.

Training sees what a viewer shows: depth, transparency and orientation are
resolved here, and an image whose range of values is unknown is refused, not
guessed.
"""

from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image

ValueRange = tuple[float, float]

_ROWS = 256  # rows converted at a time, to bound the memory of deep images

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
    """The range of an image's values is unknown, and the user has to give it."""


def correct_transparent_key(image: Image.Image) -> None:
    """Scale the single transparent value of a PNG like its pixels.

    Pillow scales grays of 2 and 4 bits to 0 to 255 but leaves the ``tRNS`` chunk
    as it is.

    Args:
        image (Image.Image): An opened image, not loaded yet; changed in place.

    Raises:
        ValueError: If Pillow has dropped bits that the comparison needs.
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
            '16-bit color with a transparent color (tRNS) cannot be matched exactly: save it with '
            'an alpha channel'
        )
    bits = {'1': 1, 'L;2': 2, 'L;4': 4}.get(raw_mode)
    if bits and key < 1 << bits:
        image.info['transparency'] = key * 255 // ((1 << bits) - 1)


def upright(image: Image.Image) -> tuple[Callable[[Image.Image], Image.Image] | None, bool]:
    """How to rotate an image by its EXIF orientation, and whether the EXIF data is readable.

    ``ImageOps.exif_transpose`` also rewrites the EXIF data, which fails if the
    data is damaged, after the image has been rotated.

    Args:
        image (Image.Image): A loaded image. Pillow has already rotated TIFF files.

    Returns:
        tuple: A function that rotates an image (None: nothing to do), and False
        if the EXIF data is damaged: the image is then read as it is stored.
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
    """The 8-bit RGB picture that an image shows.

    Args:
        image (Image.Image): A loaded image of any mode.
        background (tuple[int, int, int]): RGB color behind transparent pixels.
        value_range (tuple[float, float], optional): The values of black and
            white in images with one deep channel. Defaults to None: from the file.

    Returns:
        Image.Image: RGB; the image itself if it is already RGB.

    Raises:
        UnknownRangeError: If it has deep values of unknown range.
        ValueError: If Pillow cannot convert it, or it has values that are not
            finite.
    """
    if image.mode in ('I', 'F') or image.mode.startswith('I;16'):
        image = _deep_to_8_bits(image, value_range)
    if image.has_transparency_data:
        return _on_background(image, background)
    return image if image.mode == 'RGB' else image.convert('RGB')


def _on_background(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if image.mode == 'La':
        image = image.convert('LA')  # the only conversion that Pillow has for it
    rgba = image if image.mode == 'RGBA' else image.convert('RGBA')
    canvas = Image.new('RGB', rgba.size, background)
    canvas.paste(rgba, (0, 0), rgba)
    return canvas


def _known_range(image: Image.Image) -> ValueRange | None:
    """The values of black and white that the file's format defines."""
    if image.mode.startswith('I;16'):
        bits = getattr(image, 'tag_v2', {}).get(_BITS, (16,))[0]
        return 0, 2**bits - 1
    # Pillow scales these to 16 bits, whatever their depth.
    if image.mode == 'I' and image.format in ('PNG', 'PPM'):
        return 0, 65535
    return None


def _deep_to_8_bits(image: Image.Image, value_range: ValueRange | None) -> Image.Image:
    """Mode L, or LA if one value is transparent."""
    bounds = value_range or _known_range(image)
    if bounds is None:
        kind = '32-bit integers' if image.mode == 'I' else 'floating-point numbers'
        raise UnknownRangeError(
            f'its values are {kind} of unknown range: give the values of black and white as '
            'value_range=(low, high) of LoadImage'
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
    """Values in [low, high] as 0 to 255, rounded half up; for 16 bits round(v / 257)."""

    def scaled(part: np.ndarray) -> np.ndarray:
        part = np.clip(part.astype(np.float64), low, high) - low
        return np.floor(part * 255 / (high - low) + 0.5).astype(np.uint8)

    if values.dtype.itemsize == 2:
        return scaled(np.arange(65536))[values]
    if values.dtype.kind == 'f' and not np.isfinite(values).all():
        raise ValueError('it has values that are not finite')
    result = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):
        result[start : start + _ROWS] = scaled(values[start : start + _ROWS])
    return result
