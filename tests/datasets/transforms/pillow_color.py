"""Pillow's and torchvision's operations, one after the other: the reference, and what to try."""

import numpy as np
import torch
import torchvision.transforms.functional as tvf
from PIL import Image, ImageFilter, ImageOps

from mmrel.datasets.transforms import ContrastiveView
from mmrel.datasets.transforms.draws import ColorDraw

_ADJUST = (tvf.adjust_brightness, tvf.adjust_contrast, tvf.adjust_saturation, tvf.adjust_hue)


def pillow_colors(img: Image.Image, draw: ColorDraw) -> Image.Image:
    """Change the colors of an image as drawn."""
    values = (draw.brightness, draw.contrast, draw.saturation, draw.hue)
    for kind in draw.order:
        if values[kind] is not None:
            img = _ADJUST[kind](img, values[kind])
    if draw.gray:
        img = tvf.rgb_to_grayscale(img, num_output_channels=3)
    if draw.sigma is not None:
        img = img.filter(ImageFilter.GaussianBlur(draw.sigma))
    return img if draw.solarize is None else ImageOps.solarize(img, draw.solarize)


def random_images(count: int, height: int = 12, width: int = 17) -> list[Image.Image]:
    """Random images; a third is dark, a third gray."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    pixels[1::3] //= 8  # dark
    pixels[2::3] = pixels[2::3, :, :, :1] // 64 * 85  # gray, with black and white
    return [Image.fromarray(x) for x in pixels]


def random_draws(view: ContrastiveView, count: int) -> list[ColorDraw]:
    """Colors that a view draws."""
    torch.manual_seed(0)
    return [view.draw_color() for _ in range(count)]
