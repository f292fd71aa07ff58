"""Codes of paths: what a network does not use is not in them."""

import numpy as np
import pytest
import torch

import mmrel.models  # noqa: F401
from mmrel.registry import MODELS
from mmrel.spaces import CodedSpace
from mmrel.spaces.coded_space import pooled_classifier
from tests.spaces.kshot_spaces import CELLS, SMALL, build


def test_widths_of_absent_layers_are_not_used() -> None:
    space = build(SMALL)
    path = space.largest()
    thin = dict(path, **{'layer3.op': 'identity', 'layer3.width': 0.2})
    assert space.key(thin) == space.key(dict(thin, **{'layer3.width': 1.0}))
    assert space.key(path) != space.key(dict(path, **{'layer3.width': 0.2}))
    rows = space.indices([path, thin])
    np.testing.assert_allclose(space.width_codes(rows), [[1] * 5, [1, 1, 1, 0, 1]])
    np.testing.assert_allclose(space.mean_width(rows), [1, 1])
    half = dict(path, **{'layer0.width': 0.5})
    np.testing.assert_allclose(space.mean_width(space.indices([half])), [0.9])


@pytest.mark.parametrize('cfg', [SMALL, CELLS])
def test_codes_are_one_hot_for_canonical_paths(cfg: dict) -> None:
    space = build(cfg)
    indices = space.sample_indices(20, np.random.default_rng(1))
    size, widths = space.code_sizes
    options = list(space.choices.values())
    expected = [
        [float(i == chosen) for chosen, choice in zip(row, options, strict=True)
         for i in range(len(choice))][:size]
        for row in space.canonical(indices)
    ]  # fmt: skip
    np.testing.assert_array_equal(space.architecture_codes(indices), expected)
    assert space.width_codes(indices).shape == (20, widths)


class _Space(CodedSpace):
    """Two architecture choices of different lengths and one width, all of them used."""

    def __init__(self, widths: tuple[float, ...] = (0.5, 1.0)) -> None:
        super().__init__(dict(a=['x', 'y'], b=[1, 2, 3]), dict(w=widths))

    def flops(self, indices: np.ndarray) -> np.ndarray:
        return np.zeros(len(indices))

    parameters = flops

    def subnet(self, path: dict) -> dict:
        return dict(path)

    def largest(self) -> dict:
        return dict(a='y', b=3, w=1.0)


def test_a_stand_alone_classifier_pools_the_last_map(mmrel_scope: None) -> None:
    backbone = dict(type='ResNetSmallImage', depth=18, base_channels=8)
    model = MODELS.build(pooled_classifier(backbone, 64, 5)).eval()
    images = torch.randn(2, 3, 8, 8)
    (maps,) = model.backbone(images)
    features = model.extract_feat(images)
    torch.testing.assert_close(features[0], maps.mean((2, 3)))
    assert model.head(features).shape == (2, 5)


def test_codes_by_hand() -> None:
    space = _Space()
    rows = space.indices([dict(a='y', b=1, w=0.5), dict(a='x', b=3, w=1.0)])
    assert space.code_sizes == (5, 1)
    assert space.architecture_codes(rows).tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]
    assert space.width_codes(rows).tolist() == [[0.5], [1.0]]


def test_covering_paths_have_every_option_at_full_width() -> None:
    # The shorter choice repeats its last option.
    assert _Space().covering_paths() == [
        dict(a='x', b=1, w=1.0), dict(a='y', b=2, w=1.0), dict(a='y', b=3, w=1.0),
    ]  # fmt: skip


@pytest.mark.parametrize('widths', [(0.5, 0.2), (0.5, 1.2), (0.0, 1.0)])
def test_widths_must_be_ascending_shares(widths: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r'w=\[.*\] must be ascending and in \(0, 1\]'):
        _Space(widths)
