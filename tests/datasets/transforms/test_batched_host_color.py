"""The colors of a batch on the host are Pillow's, for the same draws."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.datasets.transforms import ContrastiveView, batched_host_color
from mmrel.datasets.transforms.batched_host_color import change_batch
from mmrel.datasets.transforms.draws import ColorDraw, color_row
from mmrel.datasets.transforms.host_color import to_planes
from tests.datasets.transforms.pillow_color import (
    SameAsPillow,
    many_colors,
    random_draws,
    random_images,
)


class TestBatchedHostColor(SameAsPillow):
    """The functions of the host, on planes."""

    @staticmethod
    def change(images: list[Image.Image], draws: list[ColorDraw]) -> np.ndarray:
        """Change each image as drawn."""
        planes = np.stack([to_planes(img) for img in images], 1)
        change_batch(planes, torch.stack([color_row(d) for d in draws]).numpy())
        return planes.swapaxes(0, 1)


_compare = TestBatchedHostColor().compare


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
    before = np.stack([to_planes(img) for img in images])
    np.testing.assert_array_equal(TestBatchedHostColor.change(images, [ColorDraw()] * 3), before)
