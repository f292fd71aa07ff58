"""Each step on a batch gives the pixels that it gives image by image."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmrel.datasets.batched_steps import APPLY, draw_all, draw_one, pixels_of, stacked
from mmrel.datasets.transforms.batched_draws import Streams
from mmrel.registry import TRANSFORMS

STEPS = [
    dict(type='WeakView', size=32),
    dict(type='WeakView', size=24, scale=(0.05, 0.1), interpolation='bicubic', flip_prob=1.0),
    dict(type='ContrastiveView', size=32, blur_prob=0.0),
    dict(type='ContrastiveView', size=32, blur_prob=0.7, solarize_prob=0.3),
    dict(type='PaddedCropView', size=32),
    dict(type='PaddedCropView', size=20, padding=0, flip_prob=0.0),
    dict(type='CutoutView', size=16),
    dict(type='CutoutView', size=80, fill=(1, 2, 3)),
    dict(type='RandAugmentView', magnitude=10, levels=10, random_magnitude=True, num_ops=3),
    dict(type='CentralView', size=20),
]
SEEDS = list(range(40))


def _images(same_size: bool) -> list[Image.Image]:
    draw = np.random.default_rng(0)
    sizes = [(32, 32)] if same_size else [(32, 32), (40, 33), (21, 60), (32, 45)]
    return [
        Image.fromarray(draw.integers(0, 256, (*sizes[i % len(sizes)], 3), dtype=np.uint8))
        for i in range(len(SEEDS))
    ]


@pytest.mark.parametrize('from_array', [False, True])
@pytest.mark.parametrize('step', STEPS, ids=lambda step: f'{step["type"]}-{step.get("size")}')
def test_pixels_and_draws(step: dict, from_array: bool) -> None:
    keeps_size = step['type'] in ('CutoutView', 'RandAugmentView')
    images = _images(same_size=from_array or keeps_size)
    built = TRANSFORMS.build(step)
    expected, after = [], []
    for image, seed in zip(images, SEEDS, strict=True):
        torch.manual_seed(seed)
        expected.append(np.asarray(built(dict(img=image.copy()))['img']))
        after.append(torch.rand(()).item())
    sizes = np.array([image.size for image in images])
    streams = Streams(SEEDS)
    given = np.stack([np.asarray(image) for image in images]) if from_array else images
    drawn = draw_all(built, streams, sizes)
    np.testing.assert_array_equal(APPLY[type(built)](built, given, drawn), np.stack(expected))
    assert streams.uniform(0, 1).tolist() == after  # as many numbers were used
    draws = []
    for image, seed in zip(images, SEEDS, strict=True):
        torch.manual_seed(seed)
        draws.append(draw_one(built, image.size))
    given = pixels_of(images) if from_array else images
    found = APPLY[type(built)](built, given, stacked(built, draws))
    np.testing.assert_array_equal(found, np.stack(expected))


def test_the_images_are_not_changed() -> None:
    images = _images(same_size=True)
    before = [np.array(image) for image in images]
    for step in map(TRANSFORMS.build, STEPS):
        drawn = draw_all(step, Streams(SEEDS), np.array([image.size for image in images]))
        APPLY[type(step)](step, images, drawn)
    for image, pixels in zip(images, before, strict=True):
        np.testing.assert_array_equal(np.asarray(image), pixels)
