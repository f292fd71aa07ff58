"""Pillow's bilinear enlargement of crops, for a batch of images of one size."""

from functools import lru_cache

import cv2
import numpy as np

_BITS = 22  # of Pillow's weights
# An intermediate result has up to this many bytes, to fit in the processor's cache, but always
# some images, so that the work outweighs the calls.
_TOGETHER, _FEWEST = 2**19, 8


def _precision(size: int) -> tuple[type[np.unsignedinteger], int]:
    """The type of the sums, and the number of bits of the weights in them.

    All weights are multiples of 1 / (2 * size) before Pillow rounds them. If size is a power of
    two they need no rounding, and a few bits give the same sums as Pillow's 22.
    """
    bits = size.bit_length()
    return (np.uint16, bits) if size == 1 << (bits - 1) and bits <= 8 else (np.uint32, _BITS)


@lru_cache
def _weights(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The two pixels that each new pixel is made of, and their weights in Pillow's integers.

    Args:
        size (int): Number of new pixels.

    Returns:
        tuple: For each number of pixels from 0 to ``size``, the first of the two pixels (the
        second is the next one), (size + 1, size), and the weights of both, (2, size + 1, size).
    """
    length = np.arange(size + 1)[:, None]
    center = (np.arange(size) + 0.5) * (length / size)
    left = np.floor(center - 0.5).astype(np.intp)
    pair = np.stack([left, left + 1])
    weights = np.maximum(0, 1 - np.abs(pair - center + 0.5))
    weights[(pair < 0) | (pair >= np.maximum(length, 1))] = 0
    weights /= weights.sum(0)
    low, high = (0.5 + weights * (1 << _BITS)).astype(np.uint32)
    # At the first border only the second pixel counts.
    whole = np.stack([np.where(left < 0, high, low), np.where(left < 0, 0, high)])
    kind, bits = _precision(size)
    return np.maximum(left, 0), (whole >> (_BITS - bits)).astype(kind)


def enlarged_crops(images: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """``image.crop(box).resize((size, size), BILINEAR)`` of each image, bit by bit.

    Args:
        images (ndarray): (B, H, W, 3) uint8, contiguous.
        boxes (ndarray): Top, left, height and width of the crops, (B, 4), at most ``size`` high
            and wide.
        size (int): Side of the result.

    Returns:
        ndarray: (3, B, size, size) uint8, contiguous.
    """
    number, height, width, _ = images.shape
    # Pixels of four bytes are gathered as one number.
    pixels = cv2.cvtColor(images.reshape(-1, width, 3), cv2.COLOR_RGB2RGBA).view(np.uint32)
    pixels = pixels.reshape(number, -1)
    first, weights = _weights(size)
    columns, rows = first[boxes[:, 3]] + boxes[:, 1:2], first[boxes[:, 2]] + boxes[:, :1]
    # In lines of bytes: the four bytes of a pixel have the same weight.
    across, down = weights[:, boxes[:, 3], None].repeat(4, 3), weights[:, boxes[:, 2], :, None]
    lines = np.arange(height)[:, None] * width
    planes = np.empty((4, number, size, size), np.uint8)
    together = max(_FEWEST, _TOGETHER // (4 * size * max(size, height) * weights.itemsize))
    for start in range(0, number, together):
        part = slice(start, start + together)
        count = np.arange(len(boxes[part]))[:, None]
        place = (count[..., None] * height * width + lines) + columns[part, None]
        wide = _mixed(pixels[part].ravel(), place, across[:, part], size)
        place = count * height + rows[part]
        high = _mixed(wide.reshape(-1, 4 * size).view(np.uint32), place, down[:, part], size)
        cv2.split(high.reshape(-1, size, 4), [x[part].reshape(-1, size) for x in planes])
    return planes[:3]


def _mixed(flat: np.ndarray, place: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Weighted sums of the pixels at ``place`` and of the next ones, rounded as Pillow does."""
    kind, bits = _precision(size)
    # A next pixel outside the crop has the weight 0, so any value will do.
    one, other = (
        x.take(place, 0, mode='clip').view(np.uint8).reshape(*place.shape[:2], -1).astype(kind)
        for x in (flat, flat[1:] if len(flat) > 1 else flat)
    )
    one *= weights[0]
    other *= weights[1]
    one += other
    one += kind(1 << (bits - 1))
    one >>= kind(bits)
    return one.astype(np.uint8)
