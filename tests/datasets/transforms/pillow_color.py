"""Pillow's and torchvision's operations, one after the other: the reference, and what to try."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tvf
from PIL import Image, ImageFilter, ImageOps

from mmrel.datasets.transforms import ContrastiveView
from mmrel.datasets.transforms.draws import ColorDraw

_ADJUST = (tvf.adjust_brightness, tvf.adjust_contrast, tvf.adjust_saturation, tvf.adjust_hue)


# Views that draw all operations, weakly and strongly, and a jitter with fewer of them.
COLOR_VIEWS = [
    ContrastiveView(8),
    ContrastiveView(
        8,
        jitter=(0.8, 0.8, 0.8, 0.2),
        jitter_prob=1,
        blur_prob=1,
        blur_sigma=(0.1, 5.0),
        solarize_prob=0.2,
    ),
    ContrastiveView(8, jitter=(0, 0.9, 0, 0.5), gray_prob=0, blur_prob=0, solarize_prob=0.5),
]
ALL_ORDERS = [ColorDraw(order, 1.3, 0.6, 1.7, 0.13) for order in permutations(range(4))]


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


def photographs(folder: Path) -> tuple[list[Image.Image], list[ColorDraw]]:
    """Photographs, each with a jitter and a blur."""
    files = sorted((folder / 'imagenet_jpeg').rglob('*.JPEG'))[:24]
    images = [Image.open(file).convert('RGB').resize((96, 80)) for file in files]
    return images, random_draws(ContrastiveView(8, jitter_prob=1, blur_prob=1), len(images))


def many_colors() -> Image.Image:
    """All combinations of 52 levels, with 0 and 255."""
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), -1)
    return Image.fromarray(grid.reshape(52 * 52, 52, 3))


class SameAsPillow:
    """What each way to change the colors of a batch must pass; a subclass has the way."""

    @staticmethod
    def change(images: list[Image.Image], draws: list[ColorDraw]) -> np.ndarray:
        """Change each image as drawn, (N, 3, H, W), uint8."""
        raise NotImplementedError

    def compare(self, images: list[Image.Image], draws: list[ColorDraw]) -> None:
        """Every step has Pillow's roundings, so nothing may differ."""
        pairs = zip(images, draws, strict=True)
        expected = np.stack([np.asarray(pillow_colors(img, draw)) for img, draw in pairs])
        np.testing.assert_array_equal(self.change(images, draws), expected.transpose(0, 3, 1, 2))

    @pytest.mark.parametrize('view', COLOR_VIEWS)
    def test_over_many_random_draws(self, view: ContrastiveView) -> None:
        self.compare(random_images(300), random_draws(view, 300))

    def test_on_photographs(self, real_images: Path) -> None:
        self.compare(*photographs(real_images))

    def test_every_order_of_the_jitter_is_applied(self) -> None:
        draws, images = ALL_ORDERS, random_images(1) * len(ALL_ORDERS)
        self.compare(images, draws)
        assert len(np.unique(self.change(images, draws).reshape(24, -1), axis=0)) > 12
