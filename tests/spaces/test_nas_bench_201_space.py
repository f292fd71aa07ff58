"""NAS-Bench-201: costs against counted ones, and which cells are equal."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from mmrel.spaces import NASBench201Space, live_edges
from tests.spaces.kshot_spaces import CELLS, build, check_costs


def test_costs_are_those_of_the_built_networks() -> None:
    check_costs(CELLS)
    check_costs(dict(CELLS, shortcut_norm=True))


def test_flops_and_parameters_of_the_table_are_exact(tables: Path) -> None:
    with (tables / 'nas_bench_201_cifar10.csv').open() as file:
        rows = list(csv.DictReader(file))
    space = NASBench201Space()
    paths = [space.architecture(row['architecture']) for row in rows]
    assert len({space.architecture_text(path) for path in paths}) == len(rows) >= 60
    assert [space.architecture_text(path) for path in paths] == [r['architecture'] for r in rows]
    indices = space.indices(paths)
    assert space.flops(indices).tolist() == [int(row['flops_c16_n5']) for row in rows]
    assert space.parameters(indices).tolist() == [int(row['params_c16_n5']) for row in rows]
    # A cell that passes nothing on was trained to chance.
    for path, row in zip(paths, rows, strict=True):
        assert space.is_dead(path) == (row['test_accuracy_200_epochs'] == '10.0000')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('|skip_connect~0|', 'is not of the form'),
        ('|a~0|+|none~0|none~1|+|none~0|none~1|none~2|', "has 'a', which must be one of"),
        ('0-0-0-0-0', 'must have 6 places'),
        ('0-0-0-0-0-5', 'each below the number of options: 5-5-5-5-5-5'),
    ],
)
def test_a_text_that_names_no_cell_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NASBench201Space().architecture(text)


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


def test_an_unused_entry_changes_nothing_and_a_used_one_does() -> None:
    space = NASBench201Space(channels=2, cells=1)
    for cell in np.random.default_rng(0).integers(0, 5, (300, 6)):
        used = space.used(cell[None])[0]
        for i in range(6):
            others = [np.where(np.arange(6) == i, op, cell) for op in range(5)]
            keys = {_slow_key(tuple(other.tolist())) for other in others}
            assert (len(keys) > 1) == used[i]


def test_live_edges_are_those_of_the_slow_walk() -> None:
    space = NASBench201Space(channels=2, cells=1)
    cells = np.random.default_rng(0).integers(0, 5, (200, 6))
    for cell, path in zip(cells.tolist(), space.paths(cells), strict=True):
        slow = zip(space.choices, _slow_key(tuple(cell)), strict=True)
        assert live_edges(path) == {name: path[name] for name, op in slow if op != 0}


@pytest.mark.parametrize('key', ['channels', 'cells'])
def test_config_errors_name_the_key(key: str) -> None:
    with pytest.raises(ValueError, match=rf'space\.{key}=0 must be at least 1'):
        build({**CELLS, key: 0})
