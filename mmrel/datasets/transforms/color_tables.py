"""Pillow's conversions to 8-bit HSV and back, as tables, with Pillow's roundings.

A color is described by its largest channel (the value), its smallest one and the
middle one. Pillow computes in float32, and in double where a constant is one.
"""

from functools import lru_cache

import numpy as np

BITS = 23  # of fractions that are multiplied by a value below 256
HALF = 1 << (BITS - 1)
_LEVELS = np.arange(256)


def _ratio() -> np.ndarray:
    """Row / column in float32; 0 if the column is 0."""
    rows, columns = _LEVELS[:, None].astype(np.float32), _LEVELS.astype(np.float32)
    ratio = np.divide(rows, columns, out=np.zeros((256, 256), np.float32), where=columns > 0)
    return ratio.astype(np.float64)


def _share() -> np.ndarray:
    return (_LEVELS / 255).astype(np.float32)


def _sector() -> np.ndarray:
    return np.floor(_LEVELS * 6.0 / 255)


@lru_cache
def hue_table() -> np.ndarray:
    """The hue from three numbers, (6 * 256 * 256,) uint8.

    The first is 0 to 5 by the largest and the smallest channel: RB, RG, GR, GB, BR, BG;
    the second is value - middle; the third value - smallest.
    """
    ratio = _ratio()
    turns = np.stack([1 - ratio, ratio - 1, 3 - ratio, 1 + ratio, 3 + ratio, 5 - ratio])
    turns = np.fmod(turns.astype(np.float32).astype(np.float64) / 6 + 1, 1).astype(np.float32)
    hue = (turns.astype(np.float64) * 255).astype(np.uint8)
    hue[:, :, 0] = 0  # gray
    return hue.ravel()


@lru_cache
def saturation_table() -> np.ndarray:
    """The saturation from value - smallest and value, (256 * 256,) uint8."""
    return (_ratio().clip(0, 1) * 255).astype(np.uint8).ravel()


@lru_cache
def middle_table() -> np.ndarray:
    """The middle channel as a fraction of the value, from hue and saturation.

    (256 * 256,) int32, in units of 2 ** -BITS; rounding the product gives Pillow's value.
    """
    sector = _sector()[:, None]
    part = (_LEVELS[:, None] * 6.0 / 255 - sector).astype(np.float32)
    falling = 1 - (_share() * part).astype(np.float64)
    rising = 1 - _share().astype(np.float64) * (1 - part.astype(np.float64))
    fraction = np.where(sector % 2 == 1, falling, rising)
    return np.round(fraction * 2**BITS).astype(np.int32).ravel()


@lru_cache
def share_table() -> np.ndarray:
    """The share of the saturation that a hue takes from the middle channel, (256,) uint8.

    In units of 1 / 255: middle = value * (1 - saturation * share), all of 0 to 1.
    """
    part = 6 * _LEVELS % 255
    return np.where(6 * _LEVELS // 255 % 2 == 1, part, 255 - part).astype(np.uint8)


@lru_cache
def lowest_table() -> np.ndarray:
    """The smallest channel from value and saturation, (256 * 256,) uint8."""
    product = _LEVELS[:, None] * (1 - _share().astype(np.float64))
    return np.floor(product + 0.5).astype(np.uint8).ravel()


@lru_cache
def places_table() -> np.ndarray:
    """Which channels a hue makes the largest and the middle one, (256,) uint8.

    Bit 2 i: channel i is the largest; bit 2 i + 1: it is the middle one.
    """
    # Red is the largest in sectors 5 and 0, green two sectors further, and so on.
    turned = (_sector().astype(int)[:, None] - 2 * np.arange(3) + 1) % 6
    bits = np.where(turned < 2, 1, np.where(turned % 3 == 2, 2, 0))
    return (bits << 2 * np.arange(3)).sum(1).astype(np.uint8)
