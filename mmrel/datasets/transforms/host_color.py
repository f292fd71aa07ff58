"""Color operations on one image, in NumPy: Pillow's results in fewer passes."""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from PIL import Image

from .color_tables import hue_table, places_table, saturation_table, share_table
from .draws import (
    CONTRAST,
    EDGE,
    GRAY,
    HUE,
    NO_RADIUS,
    NO_SHIFT,
    NO_SOLARIZE,
    RADIUS,
    SATURATION,
    SHIFT,
    SLOTS,
    SOLARIZE,
    WEIGHT,
)

_LEVELS = np.arange(256, dtype=np.float32)
_LUMA = [np.float32(weight / 65536) for weight in (19595, 38470, 7471)]


def luma(planes: np.ndarray) -> np.ndarray:
    """Pillow's conversion to gray.

    Args:
        planes (ndarray): (3, ...) uint8.

    Returns:
        ndarray: (...) whole numbers in float32.
    """
    # The sum has at most 24 bits, so float32 is exact.
    total = np.multiply(planes[0], _LUMA[0], dtype=np.float32)
    for plane, weight in zip(planes[1:], _LUMA[1:], strict=True):
        total += np.multiply(plane, weight, dtype=np.float32)
    total += np.float32(0.5)
    return np.floor(total, out=total)


def _look_up(planes: np.ndarray, far: int, factor: float) -> np.ndarray:
    """Pillow's blend with one gray."""
    table = np.float32(far) + np.float32(factor) * (_LEVELS - np.float32(far))
    table = table.clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(planes.reshape(-1, planes.shape[-1]), table)).reshape(planes.shape)


def _saturate(planes: np.ndarray, factor: float) -> np.ndarray:
    """Pillow's blend with the gray image."""
    out = np.empty_like(planes)
    gray = luma(planes)
    for plane, changed in zip(planes, out, strict=True):
        pixels = np.subtract(plane, gray, dtype=np.float32)
        pixels *= np.float32(factor)
        pixels += gray
        if factor > 1:
            np.clip(pixels, 0, 255, out=pixels)
        changed[:] = pixels
    return out


def _join(*planes: np.ndarray) -> np.ndarray:
    """Numbers with the planes as their bytes, the lowest first."""
    return cv2.merge(planes).view('<u2' if len(planes) == 2 else '<u4')[..., 0]


def _rounded(product: np.ndarray, divisor: int) -> np.ndarray:
    """Product / divisor, rounded; an odd divisor leaves no ties."""
    product += product.dtype.type(divisor // 2)
    product //= product.dtype.type(divisor)
    return product.astype(np.uint8)


def shift_hue(planes: np.ndarray, steps: int | np.ndarray) -> np.ndarray:
    """Shift the hue through Pillow's 8-bit HSV.

    Args:
        planes (ndarray): (3, H, W) uint8.
        steps (int | ndarray): 0 to 255 steps of Pillow's hue; an array, (H, 1) uint8, has those
            of each line.

    Returns:
        ndarray: (3, H, W) uint8.
    """
    red, green, blue = planes
    value = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    middle = red ^ green ^ blue ^ value ^ least
    chroma = value - least
    is_red = red == value
    is_green = (green == value) & ~is_red
    # Which of the two other channels is the smallest.
    second = (red != least) & (~is_red | (blue != least))
    case = np.uint8(4) - (is_red.view(np.uint8) << 2) - (is_green.view(np.uint8) << 1)
    case += second.view(np.uint8)
    hue = hue_table().take(_join(chroma, value - middle, case, np.zeros_like(case)))
    hue += np.asarray(steps, np.uint8)  # modulo 256
    saturation = saturation_table().take(_join(value, chroma))
    share = np.multiply(saturation, cv2.LUT(hue, share_table()), dtype=np.uint16)
    share = np.subtract(255 * 255, share, dtype=np.uint16)
    middle = _rounded(np.multiply(value, share, dtype=np.uint32), 255 * 255)
    lowest = _rounded(np.multiply(value, 255 - saturation, dtype=np.uint16), 255)
    place = np.asarray(cv2.LUT(hue, places_table()), np.uint8)
    to_value, to_middle = value - lowest, middle - lowest
    out = np.empty_like(planes)
    for i in range(3):
        np.multiply(to_value, (place >> (2 * i)) & 1, out=out[i])
        out[i] += to_middle * ((place >> (2 * i + 1)) & 1)
        out[i] += lowest
    return out


def _jitter(row: Sequence[float]) -> Iterator[tuple[int, float]]:
    """The jitter's operations in their order, with a factor or the steps of the hue."""
    for slot in range(SLOTS):
        if slot == SLOTS // 2 and row[SHIFT] != NO_SHIFT:
            yield HUE, row[SHIFT]
        kind, factor = row[slot], row[SLOTS + slot]
        if factor != 1:
            yield int(kind), factor


def _jittered(planes: np.ndarray, kind: int, value: float) -> np.ndarray:
    if kind == HUE:
        return shift_hue(planes, int(value))
    if kind == SATURATION:
        return _saturate(planes, value)
    mean = luma(planes).mean(dtype=np.float64) if kind == CONTRAST else 0
    return _look_up(planes, math.floor(mean + 0.5), value)


def _float32_is_exact(radius: int, inner: int, edge: int) -> bool:
    """Whether a pass of the box filter in float32 rounds as in integers.

    With radius 0, a pixel x becomes x + edge * d - c * x in units of 2 ** -24, where d is
    the second difference, from -510 to 510, and c is 0 or 1. It is exact if no d
    leads close to the middle between two levels.
    """
    if radius > 0:
        return False
    middle = (edge * np.arange(-510, 511, dtype=np.int64) + (1 << 23)) & ((1 << 24) - 1)
    near = 1 << 10  # six roundings of numbers below 256 in float32, and c * x
    return bool(((middle > near) & (middle < (1 << 24) - near)).all())


def blur(planes: np.ndarray, radius: int, inner: int, edge: int) -> np.ndarray:
    """Pillow's Gaussian blur, with its box filter.

    Args:
        planes (ndarray): (3, H, W) uint8.
        radius (int): Radius of the box, from :func:`.box_of`.
        inner (int): Weight of the pixels in the box, in units of 2 ** -24.
        edge (int): Weight of the two pixels beside it.

    Returns:
        ndarray: (3, H, W) uint8, contiguous.
    """
    # float64 holds Pillow's integers, which have 32 bits, but takes twice as long.
    kind = cv2.CV_32F if _float32_is_exact(radius, inner, edge) else cv2.CV_64F
    kernel = np.array([edge, *[inner] * (2 * radius + 1), edge]) / 2**24
    one, pixels = np.ones(1), cv2.merge(tuple(planes))
    for across, down in ((kernel, one),) * 3 + ((one, kernel),) * 3:
        pixels = cv2.sepFilter2D(
            pixels, kind, across, down, delta=0.5, borderType=cv2.BORDER_REPLICATE
        ).astype(np.uint8)
    return split(pixels)


def split(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 as (3, H, W), contiguous; NumPy takes twice as long."""
    planes = np.empty((3, *pixels.shape[:2]), np.uint8)
    cv2.split(pixels, list(planes))
    return planes


def to_planes(img: Image.Image) -> np.ndarray:
    """The pixels of an RGB image as (3, H, W) uint8, contiguous."""
    return split(np.asarray(img))


def mirrored(planes: np.ndarray) -> np.ndarray:
    """A copy of (3, H, W) uint8 with left and right exchanged."""
    return np.asarray(cv2.flip(planes.reshape(-1, planes.shape[-1]), 1)).reshape(planes.shape)


def to_image(planes: np.ndarray) -> Image.Image:
    """The RGB image of (3, H, W) uint8, contiguous."""
    return Image.fromarray(cv2.merge(tuple(planes)))


def change_colors(planes: np.ndarray, row: Sequence[float]) -> np.ndarray:
    """Color jitter in the drawn order, gray, blur and solarization.

    Args:
        planes (ndarray): (3, H, W) uint8, contiguous.
        row (Sequence[float]): What was drawn, from :func:`.color_row`.

    Returns:
        ndarray: (3, H, W) uint8; the input itself if nothing is drawn.
    """
    for kind, value in _jitter(row):
        planes = _jittered(planes, kind, value)
    if row[GRAY]:
        planes = luma(planes).astype(np.uint8)[None].repeat(3, 0)
    if row[RADIUS] != NO_RADIUS:
        planes = blur(planes, int(row[RADIUS]), int(row[WEIGHT]), int(row[EDGE]))
    if row[SOLARIZE] != NO_SOLARIZE:
        planes = np.where(planes < row[SOLARIZE], planes, 255 - planes)
    return planes
