"""The parts of an algorithm get widths that fit each other."""

import copy

import pytest
from torch import nn

from mmrel.models.algorithms.build import (
    build_backbone_and_neck,
    build_memory,
    build_neck,
    build_predictor,
)
from mmrel.models.necks import MLPNeck

BACKBONE = dict(type='ResNetSmallImage', depth=18, stem_channels=2, base_channels=2)
NECK = dict(type='MLPNeck', hidden_channels=5, out_channels=3)

pytestmark = pytest.mark.usefixtures('mmrel_scope')


@pytest.mark.parametrize('given', [{}, dict(in_channels=None)])
def test_a_neck_follows_its_backbone(given: dict) -> None:
    config = dict(NECK, **given)
    before = copy.deepcopy(config)
    backbone, neck = build_backbone_and_neck(BACKBONE, config)
    assert neck.mlp[0].in_features == 8 * 2  # the last of four stages, each twice as wide
    assert config == before  # it also serves the teacher
    assert build_neck(dict(config, in_channels=7), backbone).mlp[0].in_features == 7


def test_a_predictor_has_the_necks_width_at_both_ends() -> None:
    neck = MLPNeck(4, 5, 3)
    config = dict(type='MLPNeck', hidden_channels=6)
    predictor = build_predictor(config, neck)
    assert [tuple(layer.weight.shape) for layer in (predictor.mlp[0], predictor.mlp[-1])] == [
        (6, 3),
        (3, 6),
    ]
    assert config == dict(type='MLPNeck', hidden_channels=6)
    assert build_predictor(None, neck) is None
    for key in ('in_channels', 'out_channels'):
        message = (
            rf'model\.predictor\.{key}=9 differs from model\.neck\.out_channels=3: leave it out'
        )
        with pytest.raises(ValueError, match=message):
            build_predictor(dict(config, **{key: 9}), neck)


def test_a_memory_has_the_necks_width() -> None:
    neck, config = MLPNeck(4, 5, 3), dict(type='FeatureQueue', size=6)
    assert build_memory(config, neck).read().shape == (3, 6)
    assert build_memory(dict(config, dim=3), neck).read().shape == (3, 6)
    with pytest.raises(ValueError, match=r'memory\.dim=9 differs from .*out_channels=3: leave'):
        build_memory(dict(config, dim=9), neck)


def test_a_neck_of_unknown_width_needs_the_memorys() -> None:
    config = dict(type='FeatureQueue', size=6)
    assert build_memory(dict(config, dim=2), nn.Identity()).read().shape == (2, 6)
    with pytest.raises(ValueError, match=r'model\.memory\.dim must be set: Identity has no out_ch'):
        build_memory(config, nn.Identity())
