"""Crop and resize an image, for large views with torch, which takes a third of Pillow's time."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from mmrel.datasets.lazy_jpeg import LazyJpeg, cropped

from .host_color import to_planes

# Views of a batch are made together up to this side. For larger ones the work outweighs the calls.
SMALL_SIDE = 96
# For larger crops, copying the pixels out of Pillow takes longer than its resizing.
_MOST_PIXELS = 2**19


def resized_crop(img: Image.Image, box: Sequence[int], size: int, interpolation: str) -> np.ndarray:
    """Crop and resize an image with anti-aliasing.

    Bilinear results larger than :data:`SMALL_SIDE` px come from torch, unless the crop is very
    large. They differ from Pillow's by up to 1 of 255, rarely 2, because torch rounds the weights
    to 16-bit integers, Pillow to 22 bits. All others are Pillow's: torch's bicubic ones can
    differ by more.

    Args:
        img (Image.Image): RGB; a :class:`.LazyJpeg` may be shrunk.
        box (Sequence[int]): Top, left, height and width, in the pixels of the original size.
        size (int): Side of the result.
        interpolation (str): 'bilinear' or 'bicubic'.

    Returns:
        ndarray: (3, size, size) uint8, contiguous.

    Raises:
        ValueError: If the image is not in RGB.
    """
    if img.mode != 'RGB':
        raise ValueError(
            f'a view needs an image in RGB, not in {img.mode!r}: load it with LoadImage, which '
            "converts every image, or use image.convert('RGB')"
        )
    top, left, height, width = box
    corners = (left, top, left + width, top + height)
    shrunk = isinstance(img, LazyJpeg) and img.scale > 1
    by_pillow = size <= SMALL_SIDE or interpolation != 'bilinear' or height * width > _MOST_PIXELS
    if by_pillow or shrunk:
        return to_planes(cropped(img, corners, size, Image.Resampling[interpolation.upper()]))
    pixels = torch.from_numpy(np.array(img.crop(corners))).permute(2, 0, 1)[None]
    resized = F.interpolate(pixels, (size, size), mode=interpolation, antialias=True)
    return resized[0].contiguous().numpy()
