"""Color operations on a batch of small images, in NumPy, with the draws of each image.

They compute what Pillow computes. The planes of all images lie one below the other, so that
functions of one image apply to many. On a CPU this takes 0.2 to 0.7 of the time that
:mod:`.batched_color` takes, which runs on any device.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from .draws import (
    BRIGHTNESS,
    CONTRAST,
    EDGE,
    FACTORS,
    GRAY,
    KINDS,
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
from .host_color import blur, luma, shift_hue

_TOGETHER = 2**16  # pixels whose intermediate results fit in the processor's cache


def change_batch(planes: np.ndarray, rows: np.ndarray) -> None:
    """Color jitter in the drawn order, gray, blur and solarization.

    Args:
        planes (ndarray): (3, B, H, W) uint8, contiguous; changed in place.
        rows (ndarray): Each image's draw, (B, ROW) float32, from :func:`.color_row`.
    """
    for slot in range(SLOTS):
        if slot == SLOTS // 2:
            _change(planes, rows[:, SHIFT] != NO_SHIFT, rows, _shifted)
        used = rows[:, FACTORS][:, slot] != 1
        for kind in (BRIGHTNESS, CONTRAST, SATURATION):
            chosen = used & (rows[:, KINDS][:, slot] == kind)
            _change(planes, chosen, rows, partial(_blended, kind, slot))
    _change(planes, rows[:, GRAY] > 0, rows, lambda part, _: luma(part).astype(np.uint8))
    for image in (rows[:, RADIUS] != NO_RADIUS).nonzero()[0]:
        radius, inner, edge = rows[image, [RADIUS, WEIGHT, EDGE]].astype(int).tolist()
        planes[:, image] = blur(planes[:, image], radius, inner, edge)
    _change(planes, rows[:, SOLARIZE] != NO_SOLARIZE, rows, _solarized)


def _change(
    planes: np.ndarray,
    chosen: np.ndarray,
    rows: np.ndarray,
    change: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    """Change the chosen images in place."""
    places = chosen.nonzero()[0]
    together = max(1, _TOGETHER // planes[0, 0].size)
    for start in range(0, len(places), together):
        index = places[start : start + together]
        planes[:, index] = change(planes.take(index, 1), rows[index])


def _blended(kind: int, slot: int, part: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Change the brightness, the contrast or the saturation."""
    pixels = part.astype(np.float32)
    far = np.zeros(1, np.float32) if kind == BRIGHTNESS else luma(part)
    if kind == CONTRAST:
        mean = far.mean((1, 2), dtype=np.float64, keepdims=True)
        far = np.floor(mean + 0.5).astype(np.float32)
    pixels -= far
    pixels *= rows[:, FACTORS][:, slot, None, None]
    pixels += far
    np.clip(pixels, 0, 255, out=pixels)
    return pixels.astype(np.uint8)


def _shifted(part: np.ndarray, rows: np.ndarray) -> np.ndarray:
    height, width = part.shape[2:]
    steps = rows[:, SHIFT].astype(np.uint8).repeat(height)[:, None]
    return shift_hue(part.reshape(3, -1, width), steps).reshape(part.shape)


def _solarized(part: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(part < rows[:, SOLARIZE, None, None], part, 255 - part)
