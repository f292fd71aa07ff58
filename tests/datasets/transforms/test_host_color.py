"""The host's colors are Pillow's, for the same draws."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tvf
from PIL import Image

from mmrel.datasets.transforms import ContrastiveView
from mmrel.datasets.transforms.draws import ColorDraw, box_of, color_row, hue_steps
from mmrel.datasets.transforms.host_color import (
    _float32_is_exact,
    change_colors,
    luma,
    mirrored,
    shift_hue,
    to_image,
    to_planes,
)
from tests.datasets.transforms.pillow_color import pillow_colors


def _check(img: Image.Image, draw: ColorDraw) -> None:
    planes = to_planes(img)
    before = planes.copy()
    found = change_colors(planes, color_row(draw).tolist())
    np.testing.assert_array_equal(found, to_planes(pillow_colors(img, draw)))
    np.testing.assert_array_equal(planes, before)


@pytest.mark.parametrize(
    'view',
    [
        ContrastiveView(8, jitter=(0.8, 0.8, 0.8, 0.2), jitter_prob=1, solarize_prob=0.2),
        ContrastiveView(8, jitter=(0, 0.9, 0, 0.5), gray_prob=0, solarize_prob=0.5),
    ],
)
def test_they_are_pillows_over_many_draws(view: ContrastiveView) -> None:
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    for i in range(200):
        pixels = generator.integers(0, (256, 40)[i % 2], (9, 13, 3), dtype=np.uint8)
        _check(Image.fromarray(pixels), view.draw_color())


def test_they_are_pillows_on_photographs(real_images: Path) -> None:
    torch.manual_seed(0)
    view = ContrastiveView(8, jitter_prob=1)
    for file in sorted((real_images / 'imagenet_jpeg').rglob('*.JPEG'))[:24]:
        _check(Image.open(file).convert('RGB').resize((96, 80)), view.draw_color())


@pytest.mark.parametrize('shift', [0.0, 0.1, -0.31])
def test_the_hue_shift_and_gray_of_a_grid_of_colors(shift: float) -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    img = Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 52, 3))
    found = shift_hue(to_planes(img), hue_steps(shift))
    np.testing.assert_array_equal(found, to_planes(tvf.adjust_hue(img, shift)))
    np.testing.assert_array_equal(luma(to_planes(img)), np.asarray(img.convert('L')))


def test_planes_and_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    planes = to_planes(Image.fromarray(pixels))
    np.testing.assert_array_equal(planes, pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(np.asarray(to_image(planes)), pixels)
    assert change_colors(planes, color_row(ColorDraw()).tolist()) is planes


def test_every_blur_is_pillows() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    pixels[12:] = pixels[12:] // 128 * 255
    for sigma in torch.linspace(0, 3, 300).tolist():
        _check(Image.fromarray(pixels), ColorDraw(sigma=sigma))


def test_where_float32_is_said_to_be_exact_it_is_for_all_neighborhoods() -> None:
    # Rows of a left, a middle and a right pixel. Only the sum of the outer ones matters.
    value, total = (x.ravel() for x in np.meshgrid(np.arange(256), np.arange(0, 511, 7)))
    rows = np.stack([total // 2, value, total - total // 2], 1)
    sigmas = torch.linspace(0.1, 1.4, 60).tolist()
    exact = [sigma for sigma in sigmas if _float32_is_exact(*box_of(sigma))]
    assert 30 < len(exact) < 60
    for sigma in exact:
        _, inner, edge = box_of(sigma)
        expected = (rows.astype(np.int64) @ (edge, inner, edge) + (1 << 23)) >> 24
        kernel = np.array([edge, inner, edge], np.float32) / 2**24
        found = np.floor(rows.astype(np.float32) @ kernel + np.float32(0.5))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (7, 2)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for sigma in (0.2, 0.95, 2.0):
        _check(Image.fromarray(pixels), ColorDraw((3, 2, 1, 0), 1.3, 0.7, 1.6, 0.2, sigma=sigma))


@pytest.mark.parametrize('size', [(1, 1), (1, 7), (5, 1), (33, 20)])
def test_planes_are_the_pixels_and_their_mirror_image(size: tuple) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    planes = to_planes(Image.fromarray(pixels))
    assert planes.flags.c_contiguous
    np.testing.assert_array_equal(planes, pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(mirrored(planes), pixels[:, ::-1].transpose(2, 0, 1))
