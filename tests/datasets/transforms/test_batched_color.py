"""The batched colors are Pillow's, for the same draws."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tvf
from PIL import Image
from torch import Tensor

from mmrel.datasets.transforms import ContrastiveView
from mmrel.datasets.transforms.batched_color import apply_colors, blend, luma, shift_hue
from mmrel.datasets.transforms.draws import ColorDraw, color_row, hue_steps
from tests.datasets.transforms.pillow_color import (
    SameAsPillow,
    many_colors,
    random_draws,
    random_images,
)


def _stack(images: list[Image.Image]) -> Tensor:
    return torch.stack([tvf.pil_to_tensor(img) for img in images])


class TestBatchedColor(SameAsPillow):
    """The functions for any device."""

    @staticmethod
    def change(images: list[Image.Image], draws: list[ColorDraw]) -> np.ndarray:
        """Change each image as drawn."""
        found = apply_colors(_stack(images), torch.stack([color_row(d) for d in draws]))
        assert found.dtype == torch.uint8
        return found.numpy()


_compare = TestBatchedColor().compare


def test_every_blur_is_pillows() -> None:
    sigmas = torch.linspace(0, 3, 400).tolist()
    _compare(random_images(2)[:1] * 400, [ColorDraw(sigma=sigma) for sigma in sigmas])


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (2, 2)])
def test_a_blur_wider_than_the_image(shape: tuple[int, int]) -> None:
    _compare(random_images(3, *shape), [ColorDraw(sigma=s) for s in (0.0, 2.0, 6.0)])


@pytest.mark.parametrize('shift', [0.0, 0.1, -0.31])
def test_the_hue_shift_of_a_grid_of_colors(shift: float) -> None:
    img = many_colors()
    found = shift_hue(_stack([img]), torch.tensor([hue_steps(shift)]))
    assert torch.equal(found, _stack([tvf.adjust_hue(img, shift)]))


@pytest.mark.parametrize('factor', [0.0, 0.3, 1.0, 1.9])
def test_blends_and_gray_of_a_grid_of_colors(factor: float) -> None:
    img = many_colors()
    functions = (tvf.adjust_brightness, tvf.adjust_contrast, tvf.adjust_saturation)
    found = blend(_stack([img] * 3), torch.arange(3), torch.full((3,), factor))
    assert torch.equal(found, _stack([adjust(img, factor) for adjust in functions]))
    assert torch.equal(luma(_stack([img])), _stack([img.convert('L')]))


def test_nothing_is_read_back_from_the_device() -> None:
    # A meta tensor has no values: reading one raises an error.
    rows = torch.stack(
        [color_row(d) for d in random_draws(ContrastiveView(8, solarize_prob=0.5), 40)]
    )
    images = torch.empty((40, 3, 8, 8), dtype=torch.uint8, device='meta')
    assert apply_colors(images, rows).shape == images.shape


def test_the_input_stays_as_it_is_and_no_draw_changes_nothing() -> None:
    images = _stack(random_images(4))
    before = images.clone()
    rows = torch.stack([color_row(ColorDraw())] * 4)
    assert torch.equal(apply_colors(images, rows), before)
    apply_colors(images, torch.stack([color_row(ColorDraw(gray=True))] * 4))
    assert torch.equal(images, before)


def test_shapes_and_types_are_checked() -> None:
    images, rows = _stack(random_images(2)), torch.stack([color_row(ColorDraw())] * 2)
    with pytest.raises(ValueError, match='uint8'):
        apply_colors(images.float(), rows)
    with pytest.raises(ValueError, match=r'rows must be \(2, 18\) on the CPU, not \(1, 18\)'):
        apply_colors(images, rows[:1])
