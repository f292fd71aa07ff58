"""JPEG files decoded late, at full size or smaller."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.datasets import BrokenImageError
from mmrel.datasets.image_file import ImageReader
from mmrel.datasets.lazy_jpeg import LazyJpeg, cropped
from mmrel.registry import TRANSFORMS


def _write(path: Path, width: int = 200, height: int = 160, **options) -> str:
    """A smooth picture, as photographs are at a large size."""
    y, x = np.mgrid[:height, :width] / 40
    waves = np.stack([np.sin(x) + np.cos(y), np.sin(x + y), np.cos(2 * x) * np.sin(y)], -1)
    Image.fromarray((127 + 60 * waves).astype(np.uint8)).save(path, quality=95, **options)
    return str(path)


def _views(draft: bool, *sizes: int, scale: tuple[float, float] = (0.2, 1.0)) -> list:
    views = [[dict(type='ContrastiveView', size=size, scale=scale)] for size in sizes]
    steps = (
        dict(type='LoadImage', draft=draft),
        dict(type='MultiView', num_views=[1] * len(sizes), transforms=views),
    )
    return [TRANSFORMS.build(step) for step in steps]


def _read(steps: list, path: str, seed: int = 0) -> tuple[dict, list]:
    torch.manual_seed(seed)
    loaded = steps[0](dict(img_path=path))
    return loaded, [loaded['img'], *steps[1](dict(loaded))['img']]


def test_at_full_size_it_is_the_same_image(tmp_path: Path) -> None:
    path = _write(tmp_path / 'a.jpg')
    lazy, plain = ImageReader().read(path, lazy=True), ImageReader().read(path)
    assert isinstance(lazy, LazyJpeg)
    assert (lazy.size, lazy.mode) == (plain.size, plain.mode)
    box = (3, 5, 120, 90)
    np.testing.assert_array_equal(
        np.asarray(cropped(lazy, box, 32, Image.Resampling.BILINEAR)),
        np.asarray(plain.crop(box).resize((32, 32), Image.Resampling.BILINEAR)),
    )


@pytest.mark.parametrize(('factor', 'scale'), [(1.9, 1), (2.0, 2), (7.9, 4), (50.0, 8)])
def test_the_largest_power_of_two_is_used(tmp_path: Path, factor: float, scale: int) -> None:
    path = _write(tmp_path / 'a.jpg', 203, 161)
    lazy = ImageReader().read(path, lazy=True)
    lazy.shrink(factor)
    assert lazy.scale == scale
    assert lazy.size == (-(-203 // scale), -(-161 // scale))
    assert np.asarray(lazy).shape == (lazy.height, lazy.width, 3)


def test_views_of_a_shrunken_image_are_nearly_the_same(tmp_path: Path, mmrel_scope: None) -> None:
    path = _write(tmp_path / 'a.jpg')
    scales = set()
    for seed in range(30):
        (_, (_, *expected)), (_, (img, *found)) = (
            _read(_views(draft, 24, 16), path, seed) for draft in (False, True)
        )
        scales.add(img.scale)
        for a, b in zip(expected, found, strict=True):
            difference = (a.int() - b.int()).abs().float()
            # Colors are drawn the same, and places do not move by a pixel.
            assert difference.mean() < 4
            assert img.scale > 1 or not difference.any()
    assert len(scales) >= 2


def test_a_small_crop_keeps_the_full_size_for_all_views(tmp_path: Path, mmrel_scope: None) -> None:
    path = _write(tmp_path / 'a.jpg')
    _, (img, *_) = _read(_views(True, 24, 150), path)
    assert img.scale == 1
    _, (img, *_) = _read(_views(True, 24, scale=(1.0, 1.0)), path)
    assert img.scale == 4


def test_views_drawn_one_after_the_other_keep_the_full_size(
    tmp_path: Path, mmrel_scope: None
) -> None:
    path, outs = _write(tmp_path / 'a.jpg'), []
    weak = [dict(type='WeakView', size=16), dict(type='CutoutView', size=4)]
    for draft in (False, True):
        steps = _views(draft, 16)
        steps[1] = TRANSFORMS.build(dict(type='MultiView', num_views=[2], transforms=[weak]))
        outs.append(_read(steps, path)[1][1:])
    for a, b in zip(*outs, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_a_view_alone_and_steps_that_know_nothing_of_it(tmp_path: Path, mmrel_scope: None) -> None:
    path = _write(tmp_path / 'a.jpg')
    for step in (dict(type='WeakView', size=24), dict(type='CentralView', size=24)):
        outs = []
        for draft in (False, True):
            torch.manual_seed(1)
            load = TRANSFORMS.build(dict(type='LoadImage', draft=draft))
            outs.append(np.asarray(TRANSFORMS.build(step)(load(dict(img_path=path)))['img'], float))
        assert abs(outs[0] - outs[1]).mean() < 2


def test_what_is_not_an_upright_rgb_jpeg_is_read_at_once(tmp_path: Path) -> None:
    reader, exif = ImageReader(), Image.Exif()
    exif[0x0112] = 6  # rotated
    turned = _write(tmp_path / 'a.jpg', exif=exif)
    Image.new('L', (9, 7)).save(gray := str(tmp_path / 'b.jpg'))
    Image.new('RGB', (9, 7)).save(png := str(tmp_path / 'c.png'))
    for path in (turned, gray, png):
        lazy, plain = reader.read(path, lazy=True), reader.read(path)
        assert not isinstance(lazy, LazyJpeg)
        np.testing.assert_array_equal(np.asarray(lazy), np.asarray(plain))


def test_a_damaged_file_is_named_when_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    _write(path)
    path.write_bytes(path.read_bytes()[:-2000])
    lazy = ImageReader().read(str(path), lazy=True)
    with pytest.raises(BrokenImageError, match=r"a\.jpg' cannot be decoded \(.*truncated"):
        lazy.crop((0, 0, 5, 5))
    path.write_bytes(b'\xff\xd8\xff' + bytes(50))
    with pytest.raises(BrokenImageError, match=r"a\.jpg' cannot be decoded"):
        ImageReader().read(str(path), lazy=True)
    with pytest.raises(BrokenImageError, match='more than max_pixels=100'):
        ImageReader(max_pixels=100).read(_write(path), lazy=True)


def test_a_copy_is_a_whole_image(tmp_path: Path) -> None:
    lazy = ImageReader().read(_write(tmp_path / 'a.jpg'), lazy=True)
    other = copy.deepcopy(lazy)  # mmpretrain's MultiView copies samples
    other.shrink(8)
    assert (other.scale, other.size) == (1, (200, 160))
    np.testing.assert_array_equal(np.asarray(other), np.asarray(lazy))
