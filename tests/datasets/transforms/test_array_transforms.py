import numpy as np
import pytest
from PIL import Image

from mmrel.datasets.seeding import SampleIndex, seeded_draws
from mmrel.registry import TRANSFORMS

RAND_AUGMENT = dict(
    type='RandAugment',
    policies='timm_increasing',
    num_policies=2,
    total_level=10,
    magnitude_level=9,
    magnitude_std=0.5,
)
ERASING = dict(
    type='RandomErasing', erase_prob=1.0, mode='const', min_area_ratio=0.3, max_area_ratio=0.4,
    fill_color=[10, 20, 30],
)  # fmt: skip


def _image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))


def _apply(*transforms: dict, seed: int = 0) -> np.ndarray:
    transform = TRANSFORMS.build(dict(type='ArrayTransforms', transforms=transforms))
    with seeded_draws(SampleIndex(0, seed, 0)):
        return np.asarray(transform(dict(img=_image()))['img'])


def test_colors_are_bgr_inside_and_rgb_outside(mmrel_scope: None) -> None:
    out, before = _apply(ERASING), np.asarray(_image())
    erased = (out != before).any(axis=2)
    assert 0.2 < erased.mean() < 0.5
    assert (out[erased] == [30, 20, 10]).all()


def test_draws_follow_the_samples_seed(mmrel_scope: None) -> None:
    outs = [_apply(RAND_AUGMENT, dict(ERASING, mode='rand'), seed=s) for s in (0, 0, 1)]
    np.testing.assert_array_equal(outs[0], outs[1])
    assert (outs[0] != outs[2]).any()


def test_nothing_to_do_is_refused(mmrel_scope: None) -> None:
    with pytest.raises(ValueError, match='is empty'):
        _apply()
