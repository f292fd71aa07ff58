"""The colors of a batch on the host are Pillow's, for the same draws."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.datasets.transforms import ContrastiveView, batched_host_color
from mmrel.datasets.transforms.batched_host_color import change_batch
from mmrel.datasets.transforms.draws import ColorDraw, color_row
from mmrel.datasets.transforms.host_color import to_planes
from tests.datasets.transforms.pillow_color import (
    ALL_ORDERS,
    COLOR_VIEWS,
    many_colors,
    photographs,
    pillow_colors,
    random_draws,
    random_images,
)


def _changed(images: list[Image.Image], draws: list[ColorDraw]) -> np.ndarray:
    planes = np.stack([to_planes(img) for img in images], 1)
    change_batch(planes, torch.stack([color_row(d) for d in draws]).numpy())
    return planes


def _compare(images: list[Image.Image], draws: list[ColorDraw]) -> None:
    pairs = zip(images, draws, strict=True)
    expected = np.stack([to_planes(pillow_colors(img, draw)) for img, draw in pairs], 1)
    np.testing.assert_array_equal(_changed(images, draws), expected)


@pytest.mark.parametrize('view', COLOR_VIEWS)
def test_they_are_pillows_over_many_draws(view: ContrastiveView) -> None:
    _compare(random_images(300), random_draws(view, 300))


def test_they_are_pillows_on_photographs(real_images: Path) -> None:
    _compare(*photographs(real_images))


def test_every_order_of_the_jitter_is_applied() -> None:
    draws, images = ALL_ORDERS, random_images(1) * len(ALL_ORDERS)
    _compare(images, draws)
    colored = _changed(images, draws).swapaxes(0, 1)
    assert len(np.unique(colored.reshape(24, -1), axis=0)) > 12


@pytest.mark.parametrize('factor', [0.0, 0.3, 1.9])
def test_the_colors_of_a_grid(factor: float) -> None:
    names = ('brightness', 'contrast', 'saturation')
    draws = [*(ColorDraw(**{name: factor}) for name in names), ColorDraw(gray=True)]
    shifts = [ColorDraw(hue=hue) for hue in (0.0, 0.1, -0.31)]
    _compare([many_colors()] * 7, [*draws, *shifts])


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (7, 1)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    draws = [ColorDraw((3, 2, 1, 0), 1.3, 0.7, 1.6, 0.2, sigma=s) for s in (0.2, 0.95, 6.0)]
    _compare(random_images(3, *shape), draws)


def test_large_batches_are_changed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched_host_color, '_TOGETHER', 3 * 12 * 17)
    view = ContrastiveView(8, solarize_prob=0.5)
    _compare(random_images(40), random_draws(view, 40))


def test_no_draw_changes_nothing() -> None:
    images = random_images(3)
    before = np.stack([to_planes(img) for img in images], 1)
    np.testing.assert_array_equal(_changed(images, [ColorDraw()] * 3), before)
