"""Draws made ahead give the views that were drawn and applied step by step."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision.transforms as tv
import torchvision.transforms.functional as tvf
from PIL import Image, ImageFilter

from mmrel.datasets.transforms import (
    ContrastiveView,
    CutoutView,
    PaddedCropView,
    RandAugmentView,
    WeakView,
)
from mmrel.datasets.transforms.draws import ColorDraw, box_of, color_row, hue_steps


def _image(height: int = 45, width: int = 60) -> Image.Image:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(rgb)


def _chance(probability: float) -> bool:
    return probability > 0 and torch.rand(()).item() < probability


def _flip(img: Image.Image) -> Image.Image:
    return tvf.hflip(img) if _chance(0.5) else img


def _weak(img: Image.Image, scale: tuple = (0.2, 1.0)) -> Image.Image:
    return _flip(tv.RandomResizedCrop(16, scale)(img))


def _contrastive(img: Image.Image, jitter: tuple, blur_prob: float, scale: tuple) -> Image.Image:
    img = tv.RandomResizedCrop(16, scale)(img)
    if _chance(0.8):
        img = tv.ColorJitter(*jitter)(img)
    if _chance(0.2):
        img = tvf.rgb_to_grayscale(img, 3)
    if _chance(blur_prob):
        img = img.filter(ImageFilter.GaussianBlur(torch.empty(()).uniform_(0.1, 2.0).item()))
    return _flip(img)


def _moco(img: Image.Image) -> Image.Image:
    return _contrastive(img, (0.4, 0.4, 0.4, 0.1), 0.5, (0.2, 1.0))


def _simclr(img: Image.Image) -> Image.Image:
    return _contrastive(img, (0.8, 0.8, 0.8, 0.2), 0.5, (0.08, 1.0))


def _partial(img: Image.Image) -> Image.Image:
    return _contrastive(img, (0.4, 0, 0.4, 0), 0, (0.2, 1.0))


def _padded(img: Image.Image) -> Image.Image:
    img = tvf.pad(tvf.center_crop(tvf.resize(img, 16), 16), 4, padding_mode='reflect')
    return _flip(tv.RandomCrop(16)(img))


def _rand_augment(img: Image.Image) -> Image.Image:
    for _ in range(2):
        img = tv.RandAugment(1, int(torch.randint(11, ())), 11, fill=[9, 8, 7])(img)
    return img


def _cutout(img: Image.Image) -> Image.Image:
    left, top = (torch.randint(side, ()).item() - 8 for side in img.size)
    img = img.copy()
    img.paste((127, 127, 127), (left, top, left + 16, top + 16))
    return img


@pytest.mark.parametrize(
    ('view', 'slow'),
    [
        (WeakView(16), _weak),
        (ContrastiveView(16), _moco),
        (ContrastiveView(16, scale=(0.08, 1.0), jitter=(0.8, 0.8, 0.8, 0.2)), _simclr),
        (ContrastiveView(16, jitter=(0.4, 0, 0.4, 0), blur_prob=0), _partial),
        (PaddedCropView(16), _padded),
        (RandAugmentView(magnitude=10, levels=10, random_magnitude=True, fill=(9, 8, 7)),
         _rand_augment),
        (CutoutView(), _cutout),
    ],
)  # fmt: skip
def test_a_view_is_bit_for_bit_that_of_the_step_by_step_code(view, slow: Callable) -> None:
    for seed in range(40):
        img = _image(*((45, 60), (60, 45), (16, 16))[seed % 3])
        torch.manual_seed(seed)
        expected = slow(img)
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        found = view.transform(dict(img=img))['img']
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
        assert torch.equal(torch.get_rng_state(), state)  # the next view's draws follow


def test_solarization_is_drawn_after_the_blur_and_inverts_bright_values() -> None:
    quiet = dict(size=16, scale=(1.0, 1.0), flip_prob=0, jitter_prob=0, gray_prob=0, blur_prob=0)
    plain, view = ContrastiveView(**quiet), ContrastiveView(**quiet, solarize_prob=1)
    draws = []
    for made in (plain, view):
        torch.manual_seed(3)
        draws.append(made.draw((60, 45)))
    assert draws[0].crop == draws[1].crop
    before, after = (np.asarray(view.apply(_image(), draw)) for draw in draws)
    np.testing.assert_array_equal(after, np.where(before < 128, before, 255 - before))


def test_a_draw_needs_no_pixels_and_does_not_change_the_generator_when_applied() -> None:
    view = ContrastiveView(16)
    torch.manual_seed(0)
    draw = view.draw((60, 45))
    state = torch.get_rng_state()
    view.apply(_image(), draw)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize('sigma', [0.0, 0.1, 0.5, 1.0, 1.7, 2.0, 4.5])
def test_three_boxes_have_the_variance_of_the_gaussian(sigma: float) -> None:
    radius, inner, edge = box_of(sigma)
    weights = np.array([edge, *[inner] * (2 * radius + 1), edge]) / 2**24
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    places = np.arange(-radius - 1, radius + 2)
    assert 3 * (weights * places**2).sum() == pytest.approx(sigma**2, abs=1e-4)


@pytest.mark.parametrize(('shift', 'steps'), [(0.0, 0), (0.1, 25), (-0.1, 231), (0.5, 127)])
def test_hue_steps_are_torchvisions(shift: float, steps: int) -> None:
    assert hue_steps(shift) == steps == np.int32(shift * 255).astype(np.uint8)


def test_a_row_is_exact() -> None:
    draw = ColorDraw((2, 3, 0, 1), 0.7, 1.25, 1.5, -0.1, gray=True, sigma=2.0, solarize=128)
    kinds, factors = [2, 0, 0, 0, 1, 0], [1.5, 1, 1, 0.7, 1.25, 1]
    row = color_row(draw)
    expected = [*kinds, *factors, 231, 1, *box_of(2.0), 128]
    assert row.tolist() == np.array(expected, np.float32).tolist()
    assert box_of(2.0)[1] == int(row[15])
