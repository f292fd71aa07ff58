"""Pillow's and torchvision's operations, one after the other: the reference."""

import torchvision.transforms.functional as tvf
from PIL import Image, ImageFilter, ImageOps

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
