import numpy as np
import pytest
from PIL import Image

from mmrel.datasets.transforms import batched_resize
from mmrel.datasets.transforms.batched_resize import enlarged_crops


@pytest.mark.parametrize(
    ('height', 'width', 'size'),
    [(32, 32, 32), (20, 45, 45), (64, 40, 64), (96, 96, 96), (128, 99, 128), (9, 2, 256)],
)
def test_pixels_are_pillows(height: int, width: int, size: int) -> None:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (70, height, width, 3), dtype=np.uint8)
    images[:20] = images[:20] // 128 * 255  # the largest contrasts
    heights, widths = draw.integers(1, height + 1, 70), draw.integers(1, width + 1, 70)
    heights[:8] = [1, 1, 2, height, height, 3, 1, height]
    widths[:8] = [1, width, 1, width, 1, 2, 2, width - 1]
    tops, lefts = draw.integers(0, height - heights + 1), draw.integers(0, width - widths + 1)
    tops[8:12], lefts[8:12] = (height - heights)[8:12], (width - widths)[8:12]
    boxes = np.stack([tops, lefts, heights, widths], 1)
    before = images.copy()
    found = enlarged_crops(images, boxes, size)
    for image, made, (top, left, h, w) in zip(
        images, found.transpose(1, 2, 3, 0), boxes.tolist(), strict=True
    ):
        crop = Image.fromarray(image).crop((left, top, left + w, top + h))
        expected = crop.resize((size, size), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(made, np.asarray(expected))
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(('height', 'width', 'size'), [(1, 1, 1), (1, 1, 5), (1, 2, 4)])
def test_a_single_tiny_image(height: int, width: int, size: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = enlarged_crops(image[None], np.array([[0, 0, height, width]]), size)
    expected = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found[:, 0], np.asarray(expected).transpose(2, 0, 1))


def test_large_batches_are_made_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (30, 12, 12, 3), dtype=np.uint8)
    boxes = np.concatenate([draw.integers(0, 4, (30, 2)), draw.integers(1, 9, (30, 2))], 1)
    whole = enlarged_crops(images, boxes, 16)
    monkeypatch.setattr(batched_resize, '_TOGETHER', 1)
    np.testing.assert_array_equal(enlarged_crops(images, boxes, 16), whole)
