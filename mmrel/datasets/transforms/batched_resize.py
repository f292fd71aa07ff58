"""Pillow's bilinear enlargement of crops, for a batch of images of one size."""

from functools import lru_cache

import cv2
import numpy as np

_BITS = 22  # of Pillow's weights
_HALF = 1 << (_BITS - 1)
_TOGETHER = 16  # images whose intermediate results fit in the processor's cache


@lru_cache
def _weights(length: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two pixels that each new pixel is made of, and their weights in Pillow's integers.

    Args:
        length (int): Number of pixels.
        size (int): Number of new pixels, not fewer.

    Returns:
        tuple: The first of the two pixels (the second is the next one), and the weights of
        both, (size,) each.
    """
    center = (np.arange(size) + 0.5) * (length / size)
    left = np.floor(center - 0.5).astype(np.intp)
    pair = np.stack([left, left + 1])
    weights = np.maximum(0, 1 - np.abs(pair - center + 0.5))
    weights[(pair < 0) | (pair >= length)] = 0
    weights /= weights.sum(0)
    low, high = (0.5 + weights * (1 << _BITS)).astype(np.int32)
    # At the first border only the second pixel counts.
    return np.maximum(left, 0), np.where(left < 0, high, low), np.where(left < 0, 0, high)


def enlarged_crops(images: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """``image.crop(box).resize((size, size), BILINEAR)`` of each image, bit by bit.

    Args:
        images (ndarray): (B, H, W, 3) uint8, contiguous.
        boxes (ndarray): Top, left, height and width of the crops, (B, 4), at most ``size`` high
            and wide.
        size (int): Side of the result.

    Returns:
        ndarray: (B, size, size, 3) uint8, a view of an array with four bytes per pixel.
    """
    number, height, width, _ = images.shape
    # Pixels of four bytes are gathered as one number.
    pixels = cv2.cvtColor(images.reshape(-1, width, 3), cv2.COLOR_RGB2RGBA)
    pixels = pixels.view(np.uint32).reshape(number, -1)
    columns = _stacked(boxes[:, 1], boxes[:, 3], size)
    rows = _stacked(boxes[:, 0], boxes[:, 2], size)
    lines = np.arange(height)[:, None] * width
    found = np.empty((number, size, size, 4), np.uint8)
    for start in range(0, number, _TOGETHER):
        part = slice(start, start + _TOGETHER)
        first, *weights = (x[part] for x in columns)
        count = np.arange(len(first))[:, None]
        place = (count[..., None] * height * width + lines) + first[:, None]
        # In lines of bytes: the four bytes of a pixel have the same weight.
        wide = _mixed(pixels[part].ravel(), place, [np.repeat(x, 4, 1)[:, None] for x in weights])
        first, *weights = (x[part] for x in rows)
        flat = wide.reshape(-1, 4 * size).view(np.uint32)
        high = _mixed(flat, count * height + first, [x[..., None] for x in weights])
        found[part] = high.reshape(-1, size, size, 4)
    return found[..., :3]


def _stacked(starts: np.ndarray, lengths: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """First pixels and weights of all crops along one direction, (B, size) each."""
    tables = [_weights(length, size) for length in lengths.tolist()]
    first, low, high = (np.stack(parts) for parts in zip(*tables, strict=True))
    return first + starts[:, None], low, high


def _mixed(flat: np.ndarray, place: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Weighted sums of the pixels at ``place`` and of the next ones, rounded as Pillow does."""
    # A next pixel outside the crop has the weight 0, so any value will do.
    one, other = (
        flat.take(index, 0, mode='clip').view(np.uint8).astype(np.int32)
        for index in (place, place + 1)
    )
    one, other = (x.reshape(*place.shape[:2], -1) for x in (one, other))
    one *= weights[0]
    other *= weights[1]
    one += other
    one += _HALF
    one >>= _BITS
    return one.astype(np.uint8)
