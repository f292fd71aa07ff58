"""Crops are resized as Pillow does, which rounds its weights differently from torch."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrel.datasets.image_file import ImageReader
from mmrel.datasets.transforms import WeakView
from mmrel.datasets.transforms.crop_resize import SMALL_SIDE, resized_crop
from mmrel.datasets.transforms.host_color import to_planes

_LARGE = SMALL_SIDE + 1


def _image(kind: str, height: int = 150, width: int = 210) -> Image.Image:
    generator = np.random.default_rng(0)
    if kind == 'noise':
        pixels = generator.integers(0, 256, (height, width, 3))
    elif kind == 'extremes':
        pixels = generator.integers(0, 2, (height, width, 3)) * 255
    else:
        y, x = np.mgrid[:height, :width] / 30
        pixels = 127 + 120 * np.stack([np.sin(x), np.cos(x * y), np.sin(x + y)], -1)
    return Image.fromarray(pixels.astype(np.uint8))


def _boxes(number: int, height: int, width: int) -> list[tuple[int, ...]]:
    generator = np.random.default_rng(1)
    ends = np.sort(generator.integers(0, (height, width), (number, 2, 2)), 1)
    boxes = [(*low, *(high - low + 1)) for low, high in ends]
    # The whole image, single rows, columns and pixels, and a crop of the view's size.
    special = [(0, 0, height, width), (3, 0, 1, width), (0, 7, height, 1), (9, 9, 1, 1)]
    return [tuple(map(int, box)) for box in [*boxes, *special, (20, 30, _LARGE, _LARGE)]]


def _pillow(img: Image.Image, box: tuple, size: int, interpolation: str) -> np.ndarray:
    top, left, height, width = box
    part = img.crop((left, top, left + width, top + height))
    return to_planes(part.resize((size, size), Image.Resampling[interpolation.upper()]))


@pytest.mark.parametrize('kind', ['noise', 'extremes', 'smooth'])
def test_large_views_are_pillows_within_one_level(kind: str) -> None:
    img, different = _image(kind), []
    before = np.array(img)
    for box in _boxes(40, img.height, img.width):
        found = resized_crop(img, box, _LARGE, 'bilinear')
        expected = _pillow(img, box, _LARGE, 'bilinear')
        assert found.flags.c_contiguous
        assert np.abs(found.astype(int) - expected).max() <= 1
        different.append((found != expected).mean())
    # torch has made them, or none would differ.
    assert 0 < np.mean(different) < 0.1
    # No resizing, no rounding.
    assert different[-1] == 0
    np.testing.assert_array_equal(np.array(img), before)


def test_on_a_ramp_the_rounding_of_both_directions_may_add_up() -> None:
    x, y = np.arange(414), np.arange(127)[:, None]
    ramp = ((11 * x + 4 * y) % 256).astype(np.uint8)
    img, box = Image.fromarray(np.stack([ramp] * 3, -1)), (0, 0, 127, 414)
    found = resized_crop(img, box, _LARGE, 'bilinear').astype(int)
    difference = np.abs(found - _pillow(img, box, _LARGE, 'bilinear'))
    assert difference.max() <= 2
    assert difference.mean() < 0.1


def test_very_large_crops_are_pillows() -> None:
    img, box = _image('noise', 800, 900), (20, 30, 740, 720)
    found = resized_crop(img, box, _LARGE, 'bilinear')
    np.testing.assert_array_equal(found, _pillow(img, box, _LARGE, 'bilinear'))


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'I;16'])
@pytest.mark.parametrize('size', [SMALL_SIDE, _LARGE])
def test_an_image_that_is_not_in_rgb_is_refused(mode: str, size: int) -> None:
    with pytest.raises(ValueError, match=f'RGB, not in {mode!r}: load it with LoadImage'):
        WeakView(size).transform(dict(img=Image.new(mode, (200, 180))))


@pytest.mark.parametrize(
    ('size', 'interpolation'), [(SMALL_SIDE, 'bilinear'), (24, 'bicubic'), (_LARGE, 'bicubic')]
)
def test_other_views_are_pillows(size: int, interpolation: str) -> None:
    img = _image('noise')
    for box in _boxes(20, img.height, img.width):
        found = resized_crop(img, box, size, interpolation)
        np.testing.assert_array_equal(found, _pillow(img, box, size, interpolation))


def test_a_shrunk_jpeg_is_cropped_in_its_own_pixels(tmp_path: Path) -> None:
    _image('smooth', 600, 840).save(tmp_path / 'a.jpg', quality=95)
    reader, box = ImageReader(), (40, 60, 480, 520)
    whole = resized_crop(reader.read(str(tmp_path / 'a.jpg')), box, _LARGE, 'bilinear')
    lazy = reader.read(str(tmp_path / 'a.jpg'), lazy=True)
    same = resized_crop(lazy, box, _LARGE, 'bilinear')
    np.testing.assert_array_equal(same, whole)
    shrunk = reader.read(str(tmp_path / 'a.jpg'), lazy=True)
    shrunk.shrink(4)
    found = resized_crop(shrunk, box, _LARGE, 'bilinear')
    assert np.abs(found.astype(int) - whole).mean() < 4
