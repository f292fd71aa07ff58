import numpy as np
import pytest
from PIL import Image

from mmrel.datasets.transforms.batched_resize import enlarged_crops


@pytest.mark.parametrize(('height', 'width', 'size'), [(32, 32, 32), (20, 45, 45), (96, 96, 96)])
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
    for image, made, (top, left, h, w) in zip(images, found, boxes.tolist(), strict=True):
        crop = Image.fromarray(image).crop((left, top, left + w, top + h))
        expected = crop.resize((size, size), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(made, np.asarray(expected))
    np.testing.assert_array_equal(images, before)
