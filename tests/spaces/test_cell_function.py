"""Which cells compute the same functions, against random-weight forward passes."""

from itertools import permutations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmrel.spaces import NASBench201Space
from mmrel.spaces.cell_function import EDGES, OPERATIONS, function_of

_SPACE = NASBench201Space(channels=2, cells=1)


def _run(cell: list[int], weights: dict[str, list[Tensor]], order: dict[int, int]) -> Tensor:
    """A cell's output, edge by edge; an edge from a node without input gives nothing."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 2, 5, 5, generator=generator, dtype=torch.float64)
    nodes: list[Tensor | None] = [x, None, None, None]
    for edge, ((source, target), place) in enumerate(zip(EDGES, cell, strict=True)):
        value, name = nodes[source], OPERATIONS[place]
        if name == 'none' or value is None:
            continue
        if name == 'avgpool3x3':
            value = F.avg_pool2d(value, 3, 1, 1, count_include_pad=False)
        elif name != 'skip':
            kernel = weights[name][order[edge]]
            # BN is not homogeneous, and neither is a convolution with a bias.
            bias = kernel[:, 0, 0, 0]
            value = F.conv2d(value.relu(), kernel, bias, padding=kernel.shape[-1] // 2)
        before = nodes[target]
        nodes[target] = value if before is None else before + value
    return torch.zeros_like(x) if nodes[3] is None else nodes[3]


def _slow_key(cell: list[int]) -> float:
    """The smallest number that the output projects to, over all orders of the weights."""
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: [torch.randn(2, 2, k, k, generator=generator, dtype=torch.float64) for _ in range(6)]
        for name, k in (('conv1x1', 1), ('conv3x3', 3))
    }
    direction = torch.randn(1, 2, 5, 5, generator=generator, dtype=torch.float64)
    ones, threes = ([i for i, op in enumerate(cell) if OPERATIONS[op] == name] for name in weights)
    numbers = [
        (direction * _run(cell, weights, order)).sum().item()
        for first in permutations(range(len(ones)))
        for second in permutations(range(len(threes)))
        for order in [dict(zip(ones + threes, first + second, strict=True))]
    ]
    return round(min(numbers), 8)


def test_equal_keys_are_equal_functions_with_the_weights_in_some_order() -> None:
    # Unused convolutions would take weights of their own: they are removed first.
    drawn = np.random.default_rng(0).choice(
        [0, 1, 2, 3, 4], (400, 6), p=[0.2, 0.3, 0.1, 0.15, 0.25]
    )
    cells = np.unique(_SPACE.canonical(drawn), axis=0).tolist()
    keys = [function_of(cell) for cell in cells]
    slow = [_slow_key(cell) for cell in cells]
    assert len(set(keys)) < len(cells)  # some are equal
    groups: dict[str, set[float]] = {}
    for key, number in zip(keys, slow, strict=True):
        groups.setdefault(key, set()).add(number)
    assert all(len(numbers) == 1 for numbers in groups.values())
    assert len(set(slow)) == len(groups)


def test_chains_through_other_nodes_are_equal() -> None:
    """Two pools in a row and one of the input: different keys, the same function."""
    first, second = (_SPACE.architecture(text) for text in ('4-0-0-4-4-0', '0-4-0-4-0-4'))
    assert _SPACE.key(first) != _SPACE.key(second)
    assert _SPACE.function_key(first) == _SPACE.function_key(second)
    # One convolution used twice is not two convolutions.
    once, twice = (_SPACE.architecture(text) for text in ('3-1-1-0-0-1', '3-0-1-3-0-1'))
    assert _SPACE.function_key(once) != _SPACE.function_key(twice)


def test_a_cell_is_dead_if_its_output_does_not_see_its_input() -> None:
    drawn = np.random.default_rng(0).choice([0, 1, 2, 3, 4], (200, 6), p=[0.6, 0.1, 0.1, 0.1, 0.1])
    seen = set()
    for cell, path in zip(drawn.tolist(), _SPACE.paths(drawn), strict=True):
        dead = _slow_key(cell) == 0
        assert _SPACE.is_dead(path) == dead == (_SPACE.function_key(path) == '')
        seen.add(dead)
    assert seen == {True, False}
