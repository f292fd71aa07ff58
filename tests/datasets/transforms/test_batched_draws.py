"""Draws of a batch equal those that the views make one by one from torch's generator."""

import numpy as np
import pytest
import torch

from mmrel.datasets.transforms import ContrastiveView, WeakView, batched_draws
from mmrel.datasets.transforms.batched_draws import Streams, draw_colors, draw_crops
from mmrel.datasets.transforms.draws import color_row, draw_crop

SEEDS = [0, 1, 2**31, 2**32 - 1, *range(100, 200)]


def _one_by_one(draw: object) -> list:
    found = []
    for i, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        found.append(draw(i))
    return found


def test_numbers_are_torchs() -> None:
    assert batched_draws.reproduces_torch()
    streams = Streams(SEEDS)

    def expected(_: int) -> list:
        return [
            torch.rand(()).item(),
            torch.randperm(4).tolist(),
            torch.randperm(7).tolist(),
            torch.empty(1).uniform_(-0.3, 0.7).item(),
            int(torch.randint(0, 77, (1,))),
            torch.rand(()).item() < 0.3,
        ]

    every = np.arange(len(SEEDS))
    found = [
        streams.uniform(0, 1).tolist(),
        streams.order(every).tolist(),
        streams.order(every, 7).tolist(),
        streams.uniform(-0.3, 0.7).tolist(),
        streams.below(77).tolist(),
        streams.happens(0.3).tolist(),
    ]
    assert [list(row) for row in zip(*found, strict=True)] == _one_by_one(expected)


def test_samples_that_do_not_draw_keep_their_place() -> None:
    streams, some = Streams(SEEDS), np.array([3, 50])
    for _ in range(100):  # beyond the numbers made at first
        streams.uniform(0, 1, some)
    found = streams.uniform(0, 1)

    def expected(i: int) -> float:
        return [torch.rand(()).item() for _ in range(101 if i in some else 1)][-1]

    assert found.tolist() == _one_by_one(expected)


@pytest.mark.parametrize('scale', [(0.2, 1.0), (0.01, 0.02), (1.0, 1.0)])
def test_crops(scale: tuple) -> None:
    # Some images are so long that no box fits.
    sizes = np.array([[32, 32], [45, 33], [300, 20], [9, 90], [1, 1]])
    sizes = np.tile(sizes, (len(SEEDS), 1))[: len(SEEDS)]
    streams = Streams(SEEDS)
    found = draw_crops(streams, sizes, scale, WeakView.RATIO)

    def expected(i: int) -> list:
        crop = draw_crop(tuple(sizes[i].tolist()), scale, WeakView.RATIO)
        return [crop.top, crop.left, crop.height, crop.width, torch.rand(()).item()]

    wanted = _one_by_one(expected)
    assert found.tolist() == [row[:4] for row in wanted]
    assert streams.uniform(0, 1).tolist() == [row[4] for row in wanted]


@pytest.mark.parametrize(
    'changes',
    [
        {},
        dict(jitter=(0.8, 0.8, 0.8, 0.5), jitter_prob=1.0),
        dict(jitter=(0.4, 0.4, 0.0, 0.0), gray_prob=0.0, blur_prob=0.0),
        dict(jitter_prob=0.0, blur_prob=1.0, solarize_prob=0.5, solarize_threshold=99),
    ],
)
def test_colors(changes: dict) -> None:
    view = ContrastiveView(32, **changes)
    settings = (view.jitter, view.jitter_prob, view.gray_prob, view.blur_prob, view.blur_sigma)
    found = draw_colors(Streams(SEEDS), *settings, view.solarize_prob, view.solarize_threshold)
    expected = torch.stack(_one_by_one(lambda _: color_row(view.draw_color())))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_another_torch_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        batched_draws._is_fused.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(torch, 'randint', lambda *_, **__: torch.zeros(8, dtype=torch.long))
            assert not batched_draws.reproduces_torch()
    finally:
        batched_draws._is_fused.cache_clear()
    assert batched_draws.reproduces_torch()
