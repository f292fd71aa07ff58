"""Crop and resize an image. Large views use torch, which takes a third of Pillow's time."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from mmrel.datasets.lazy_jpeg import LazyJpeg, cropped

from .host_color import to_planes

# Views of a batch are made together up to this side. For larger ones the work outweighs the calls.
SMALL_SIDE = 96


def resized_crop(img: Image.Image, box: Sequence[int], size: int, interpolation: str) -> np.ndarray:
    """Crop and resize an image with anti-aliasing.

    Bilinear results larger than :data:`SMALL_SIDE` px come from torch, which rounds the weights
    to 16 bits, Pillow to 22: they differ from Pillow's by at most 1 of 255. All others are
    Pillow's, because torch's bicubic ones can differ by more.

    Args:
        img (Image.Image): RGB; a :class:`.LazyJpeg` may be shrunk.
        box (Sequence[int]): Top, left, height and width, in the pixels of the original size.
        size (int): Side of the result.
        interpolation (str): 'bilinear' or 'bicubic'.

    Returns:
        ndarray: (3, size, size) uint8, contiguous.
    """
    top, left, height, width = box
    corners = (left, top, left + width, top + height)
    shrunk = isinstance(img, LazyJpeg) and img.scale > 1
    if size <= SMALL_SIDE or interpolation != 'bilinear' or shrunk:
        return to_planes(cropped(img, corners, size, Image.Resampling[interpolation.upper()]))
    pixels = torch.from_numpy(np.array(img.crop(corners))).permute(2, 0, 1)[None]
    resized = F.interpolate(pixels, (size, size), mode=interpolation, antialias=True)
    return resized[0].contiguous().numpy()
