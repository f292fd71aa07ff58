"""Color operations on one image, in NumPy: Pillow's results in fewer passes."""

import cv2
import numpy as np
from PIL import Image, ImageFilter

from .color_tables import BITS, HALF, hue_table, middle_table, places_table, saturation_table
from .draws import BRIGHTNESS, CONTRAST, SATURATION, ColorDraw, hue_steps

_LEVELS = np.arange(256, dtype=np.float32)
_LUMA = [np.float32(weight / 65536) for weight in (19595, 38470, 7471)]


def luma(planes: np.ndarray) -> np.ndarray:
    """Pillow's conversion to gray.

    Args:
        planes (ndarray): (3, H, W) uint8.

    Returns:
        ndarray: (H, W) uint8.
    """
    # The sum has at most 24 bits, so float32 is exact.
    total = np.multiply(planes[0], _LUMA[0], dtype=np.float32)
    for plane, weight in zip(planes[1:], _LUMA[1:], strict=True):
        total += np.multiply(plane, weight, dtype=np.float32)
    total += np.float32(0.5)
    return total.astype(np.uint8)


def _look_up(planes: np.ndarray, far: float, factor: float) -> np.ndarray:
    table = far + np.float32(factor) * (_LEVELS - np.float32(far))
    table = table.clip(0, 255).astype(np.uint8)
    return cv2.LUT(planes.reshape(-1, planes.shape[-1]), table).reshape(planes.shape)


def _saturate(planes: np.ndarray, factor: float) -> np.ndarray:
    gray = luma(planes).astype(np.float32)
    blended = np.subtract(planes, gray, dtype=np.float32)
    blended *= np.float32(factor)
    blended += gray
    if not 0 <= factor <= 1:
        np.clip(blended, 0, 255, out=blended)
    return blended.astype(np.uint8)


def _join(*planes: np.ndarray) -> np.ndarray:
    """Numbers with the planes as their bytes, the lowest first."""
    return cv2.merge(planes).view('<u2' if len(planes) == 2 else '<u4')[..., 0]


def shift_hue(planes: np.ndarray, steps: int) -> np.ndarray:
    """Shift the hue through Pillow's 8-bit HSV.

    Args:
        planes (ndarray): (3, H, W) uint8.
        steps (int): 0 to 255 steps of Pillow's hue.

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
    hue += np.uint8(steps)  # modulo 256
    saturation = saturation_table().take(_join(value, chroma))
    fraction = middle_table().take(_join(saturation, hue))
    middle = ((value * fraction + HALF) >> BITS).astype(np.uint8)
    product = np.multiply(value, 255 - saturation, dtype=np.uint16)
    lowest = ((product + np.uint16(127)) // np.uint16(255)).astype(np.uint8)
    place = np.asarray(cv2.LUT(hue, places_table()), np.uint8)
    to_value, to_middle = value - lowest, middle - lowest
    out = np.empty_like(planes)
    for i in range(3):
        np.multiply(to_value, (place >> (2 * i)) & 1, out=out[i])
        out[i] += to_middle * ((place >> (2 * i + 1)) & 1)
        out[i] += lowest
    return out


def jitter(planes: np.ndarray, draw: ColorDraw) -> np.ndarray:
    """Color jitter in the drawn order.

    Args:
        planes (ndarray): (3, H, W) uint8, contiguous.
        draw (ColorDraw): The draw.

    Returns:
        ndarray: (3, H, W) uint8.
    """
    for kind, value in draw.jitter:
        if kind == BRIGHTNESS:
            planes = _look_up(planes, 0.0, value)
        elif kind == CONTRAST:
            planes = _look_up(planes, int(luma(planes).mean() + 0.5), value)
        elif kind == SATURATION:
            planes = _saturate(planes, value)
        else:
            planes = shift_hue(planes, hue_steps(value))
    return planes


def to_planes(img: Image.Image) -> np.ndarray:
    """The pixels of an RGB image as (3, H, W) uint8, contiguous."""
    return np.ascontiguousarray(np.asarray(img).transpose(2, 0, 1))


def to_image(planes: np.ndarray) -> Image.Image:
    """The RGB image of (3, H, W) uint8, contiguous."""
    return Image.fromarray(cv2.merge(tuple(planes)))


def change_colors(planes: np.ndarray, draw: ColorDraw) -> np.ndarray:
    """Color jitter in the drawn order, gray, blur and solarization.

    Args:
        planes (ndarray): (3, H, W) uint8, contiguous.
        draw (ColorDraw): The draw.

    Returns:
        ndarray: (3, H, W) uint8; the input itself if nothing is drawn.
    """
    planes = jitter(planes, draw)
    if draw.gray:
        planes = luma(planes)[None].repeat(3, 0)
    if draw.sigma is not None:
        planes = to_planes(to_image(planes).filter(ImageFilter.GaussianBlur(draw.sigma)))
    if draw.solarize is not None:
        planes = np.where(planes < draw.solarize, planes, 255 - planes)
    return planes
