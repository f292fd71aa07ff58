"""The color jitter of arrays, with a hue shift that NumPy 2 does not break."""

import numpy as np
import pytest
from mmpretrain.datasets.transforms import ColorJitter as MMPretrains

from mmrel.datasets.transforms.color_jitter import ColorJitter

# BGR, as in mmpretrain's arrays.
BLUE, GREEN, RED = np.eye(3) * 255


@pytest.mark.parametrize(
    ('shift', 'before', 'after'),
    [
        (1 / 3, [RED, GREEN, BLUE], [GREEN, BLUE, RED]),
        (-1 / 3, [RED, GREEN, BLUE], [BLUE, RED, GREEN]),
    ],
)
def test_a_third_of_the_circle_of_hues_leads_to_the_next_color(
    shift: float, before: list, after: list
) -> None:
    image = np.array([before], np.uint8)
    out = ColorJitter(hue=(shift, shift))(dict(img=image.copy()))['img']
    assert out.dtype == np.uint8
    # The circle has 256 steps, of 6 levels each.
    assert abs(out.astype(int) - np.array([after])).max() <= 6


def test_without_a_hue_shift_it_is_mmpretrains() -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    settings = dict(brightness=0.4, contrast=0.4, saturation=0.4)
    results = []
    for seed in range(8):  # several orders of the three steps
        for kind in (ColorJitter, MMPretrains):
            np.random.seed(seed)
            results.append(kind(**settings)(dict(img=image.copy()))['img'])
        np.testing.assert_array_equal(results[-2], results[-1])
    assert len({out.tobytes() for out in results}) == 8
