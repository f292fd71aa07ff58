"""Both K-shot spaces: sizes, costs against counted ones, equal networks, codes."""

import itertools

import numpy as np
import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.spaces import CodedSpace, MobileNetV2SESpace, NASBench201Space

SMALL = dict(
    type='MobileNetV2SESpace',
    num_classes=5,
    input_size=27,  # odd: sizes are rounded up at each stride
    stem_channels=8,
    first_channels=4,
    channels=(8, 12),
    layers=(2, 3),
    strides=(1, 2, 2),
    last_channels=16,
    widths=(0.2, 0.5, 1.0),
    divisor=4,
)
CELLS = dict(type='NASBench201Space', num_classes=3, channels=6, cells=2, input_size=19)


def _build(cfg: dict) -> CodedSpace:
    return SEARCH_SPACES.build(cfg)


def _network(space: CodedSpace, path: dict) -> nn.Module:
    return MODELS.build(space.subnet(path)).eval()


def _counted_flops(network: nn.Module, size: int) -> int:
    count = FlopCountAnalysis(network, torch.zeros(1, 3, size, size))
    operators = count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    found = operators.by_operator()
    return found['conv'] + found['linear']


@pytest.mark.parametrize('cfg', [SMALL, dict(SMALL, widths=(1.0,)), CELLS])
def test_costs_are_those_of_the_built_networks(cfg: dict) -> None:
    space = _build(cfg)
    indices = space.sample_indices(12, np.random.default_rng(0))
    largest = space.indices([space.largest()])
    indices = np.concatenate([indices, np.zeros_like(largest), largest])
    flops, parameters = space.flops(indices), space.parameters(indices)
    assert flops.dtype == parameters.dtype == np.int64
    for i, path in enumerate(space.paths(indices)):
        network = _network(space, path)
        assert parameters[i] == sum(p.numel() for p in network.parameters())
        assert flops[i] == _counted_flops(network, cfg['input_size'])
    assert parameters[-1] == parameters.max()


def test_the_imagenet_space_is_the_table() -> None:
    space = MobileNetV2SESpace()
    sizes = [len(space.choices[f'layer{i}.op']) for i in range(21)]
    # The first layer of a stage changes the channels, so it cannot be the identity.
    assert sizes == [12 if i in (0, 4, 8, 12, 16, 20) else 13 for i in range(21)]
    assert len(space.choices) == 21
    assert len(MobileNetV2SESpace(widths=(0.2, 0.6, 1.0)).choices) == 42
    network = _network(space, space.largest())
    assert network.backbone(torch.zeros(1, 3, 64, 64))[0].shape == (1, 1280, 2, 2)


def test_nas_bench_201_has_15625_cells() -> None:
    assert NASBench201Space().size == 15625


def _slow_key(cell: tuple[int, ...]) -> tuple:
    """What a cell computes, by walking every path from input to output."""
    ends = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    live = set()

    def walk(node: int, way: tuple[int, ...]) -> None:
        if node == 3:
            live.update(way)
        for i, (source, target) in enumerate(ends):
            if source == node and cell[i] != 0:
                walk(target, (*way, i))

    walk(0, ())
    return tuple(op if i in live else 0 for i, op in enumerate(cell))


def test_equal_cells_have_equal_keys_all_others_not() -> None:
    space = NASBench201Space(channels=2, cells=1)
    cells = np.array(list(itertools.product(range(5), repeat=6)))
    canonical = space.canonical(cells)
    # Unused edges are 'none', the first option; on used ones nothing changes.
    np.testing.assert_array_equal(canonical, [_slow_key(tuple(cell)) for cell in cells.tolist()])
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    np.testing.assert_array_equal(space.parameters(canonical), space.parameters(cells))


def test_an_unused_entry_changes_nothing_and_a_used_one_does() -> None:
    space = NASBench201Space(channels=2, cells=1)
    for cell in np.random.default_rng(0).integers(0, 5, (300, 6)):
        used = space.used(cell[None])[0]
        for i in range(6):
            others = [np.where(np.arange(6) == i, op, cell) for op in range(5)]
            keys = {_slow_key(tuple(other.tolist())) for other in others}
            assert (len(keys) > 1) == used[i]


def test_widths_of_absent_layers_are_not_used() -> None:
    space = _build(SMALL)
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
    space = _build(cfg)
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


def test_what_makes_another_space_changes_the_fingerprint() -> None:
    changes = [
        {},
        dict(divisor=8),
        dict(last_channels=20),
        dict(strides=(1, 1, 2)),
        dict(widths=(1.0,)),
    ]
    assert len({_build(dict(SMALL, **change)).fingerprint() for change in changes}) == len(changes)


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (dict(SMALL, widths=(0.5, 0.2)), 'must be ascending'),
        (dict(SMALL, widths=(0.5, 1.2)), 'must be ascending'),
        (dict(SMALL, kernels=(3, 4)), 'space.kernels'),
        (dict(SMALL, strides=(2, 2)), 'space.channels'),
        (dict(CELLS, cells=0), 'space.cells=0'),
    ],
)
def test_config_errors_name_the_key(cfg: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _build(cfg)
