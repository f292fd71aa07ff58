"""Costs: the closed forms, and latency with its cache."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmrel.registry import SEARCH_COSTS
from mmrel.spaces import CodedSpace, LatencyCost, MobileNetV2SESpace, NASBench201Space
from mmrel.spaces import costs as module
from tests.vitas import small_space


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The configs of the networks that were built."""
    configs: list[dict] = []
    build = module.MODELS.build
    monkeypatch.setattr(module.MODELS, 'build', lambda cfg: configs.append(cfg) or build(cfg))
    return configs


def _latency(**settings: object) -> LatencyCost:
    return LatencyCost(**dict(dict(device='cpu', warmup=0, repeats=2), **settings))


def test_closed_forms(mmrel_scope: None) -> None:
    space = small_space()
    draws = space.sample_indices(9, np.random.default_rng(0))
    for name, expected in (('FLOPsCost', space.flops), ('ParametersCost', space.parameters)):
        cost = SEARCH_COSTS.build(dict(type=name))
        np.testing.assert_array_equal(cost(space, draws), expected(draws))
        assert cost.name == expected.__name__


def test_latency_is_the_median_of_what_counts(
    monkeypatch: pytest.MonkeyPatch, built: list[dict]
) -> None:
    space = small_space()
    draws = space.sample_indices(1, np.random.default_rng(0))
    # The clock is read before the warm-up, then before and after each of three forwards.
    times = iter([0, 1000, 1003, 2000, 2001, 3000, 3007])
    clock = SimpleNamespace(perf_counter=lambda: next(times) / 1000)
    monkeypatch.setattr(module, 'time', clock)
    (value,) = _latency(warmup=1, repeats=3)(space, draws)
    assert value == pytest.approx(3)
    assert built == [space.subnet(space.paths(draws)[0])]


def test_larger_networks_take_longer() -> None:
    space = small_space(
        image_size=64, patch_sizes=(8,), embed_dims=200, qkv_dims=1200, mlp_dims=2000
    )
    large = space.largest()
    small = dict(large, embed=0.3, **{f'block{i}.heads': None for i in range(3)})
    slow, fast = _latency(repeats=5, batch_size=8)(space, space.indices([large, small]))
    assert slow > 2 * fast > 0


def test_a_network_is_measured_once(built: list[dict], tmp_path: Path) -> None:
    space = small_space()
    path = dict(space.largest(), **{'block0.heads': None})
    same = dict(path, **{'block0.mlp': 0.25})
    file = str(tmp_path / 'cache' / 'latency.json')
    cost = _latency(file=file)
    first = cost(space, space.indices([path, same, path]))
    assert len(set(first)) == 1
    assert len(built) == 1
    again = _latency(file=file)(space, space.indices([same]))
    assert len(built) == 1
    assert again[0] == first[0]
    assert len(json.loads(Path(file).read_text())) == 1


def test_another_setting_is_another_entry(
    built: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = small_space()
    indices = space.indices([space.largest()])
    file = str(tmp_path / 'latency.json')
    _latency(file=file)(space, indices)
    _latency(file=file, batch_size=2)(space, indices)
    _latency(file=file, image_size=32)(space, indices)
    _latency(file=file)(small_space(num_classes=6), indices)
    monkeypatch.setattr(module, '_device_name', lambda device: 'another device')
    _latency(file=file)(space, indices)
    monkeypatch.setattr(module.torch, 'get_num_threads', lambda: 64)
    _latency(file=file)(space, indices)
    assert len(built) == len(json.loads(Path(file).read_text())) == 6
    _latency(file=file)(space, indices)
    assert len(built) == 6


def test_two_measurers_share_a_file(tmp_path: Path) -> None:
    space = small_space()
    largest = space.largest()
    file = str(tmp_path / 'latency.json')
    one, two = _latency(file=file), _latency(file=file)
    one(space, space.indices([dict(largest, patch=8)]))
    two(space, space.indices([largest]))
    one(space, space.indices([dict(largest, embed=0.3)]))
    (entries,) = json.loads(Path(file).read_text()).values()
    assert len(entries) == 3


@pytest.mark.parametrize(
    'space',
    [
        NASBench201Space(channels=4, cells=1),
        MobileNetV2SESpace(
            num_classes=5, input_size=32, channels=(8,), layers=(2,), strides=(1, 2),
            last_channels=16, stem_channels=8, first_channels=8,
        ),
    ],
)  # fmt: skip
def test_networks_of_the_k_shot_spaces_are_measured(
    space: CodedSpace, built: list[dict], mmrel_scope: None
) -> None:
    costs = _latency()(space, space.indices([space.largest()]))
    assert costs.shape == (1,)
    assert costs[0] > 0


@pytest.mark.parametrize('content', ['{', '[]', '{"a": {"b": "c"}}', '{"a": 3}'])
def test_a_broken_cache_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / 'latency.json'
    file.write_text(content)
    space = small_space()
    with pytest.raises(ValueError, match=r'latency\.json.* is not a latency cache'):
        _latency(file=str(file))(space, space.indices([space.largest()]))
    assert file.read_text() == content


def test_impossible_settings_are_refused() -> None:
    for key in ('batch_size', 'repeats'):
        with pytest.raises(ValueError, match=rf'cost\.{key}=0'):
            _latency(**{key: 0})
    assert LatencyCost(device='cpu').device == torch.device('cpu')
