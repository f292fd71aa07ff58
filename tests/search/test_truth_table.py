"""Tables of truth: the two public ones, a user's, and files with errors."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mmrel.search.truth_table import read_truth_table
from mmrel.spaces import NASBench201Space, NASBenchMacroSpace

SPACE = NASBenchMacroSpace(channels=(4, 8), layers=(1, 2), stem_channels=4, last_channels=8)
TABLE = 'architecture,accuracy,std,params_of_us,latency\n012,50,0.5,7,1.5\n000,40.5,0.25,5,1\n'


def _write(folder: Path, text: str) -> Path:
    (folder / 'table.csv').write_text(text)
    return folder / 'table.csv'


@pytest.mark.parametrize(
    ('name', 'space', 'columns'),
    [
        (
            'nas_bench_201_cifar10.csv',
            NASBench201Space(),
            ('test_accuracy_200_epochs', 'flops_c16_n5', 'params_c16_n5'),
        ),
        (
            'nas_bench_macro_cifar10.csv',
            NASBenchMacroSpace(),
            ('mean_test_accuracy', 'flops', 'params'),
        ),
    ],
    ids=['cells', 'macro'],
)
def test_the_public_tables(tables: Path, name: str, space: object, columns: tuple) -> None:
    table = read_truth_table(tables / name, space)
    with (tables / name).open() as file:
        rows = list(csv.DictReader(file))
    for row, path, *numbers in list(
        zip(
            rows,
            space.paths(table.indices),
            table.accuracy,
            table.costs['flops'],
            table.costs['parameters'],
            strict=True,
        )
    )[::7]:
        assert space.architecture_text(path) == row['architecture']
        assert numbers == [float(row[column]) for column in columns]
    assert (table.noise is None) == ('201' in name)
    assert list(table.others) == (['test_accuracy_12_epochs'] if '201' in name else [])
    early = read_truth_table(tables / name, space, columns[0])
    assert (early.accuracy == table.accuracy).all()


def test_a_table_of_a_user(tmp_path: Path) -> None:
    table = read_truth_table(_write(tmp_path, TABLE), SPACE)
    assert len(table) == 2
    assert table.indices.tolist() == [[0, 1, 2], [0, 0, 0]]
    assert table.accuracy.tolist() == [50, 40.5]
    assert table.noise.tolist() == [0.5, 0.25]
    assert {key: values.tolist() for key, values in table.costs.items()} == dict(
        flops=SPACE.flops(table.indices).tolist(), parameters=[7, 5], latency=[1.5, 1]
    )
    # Places of options, joined by dashes, are read in every space.
    table = read_truth_table(_write(tmp_path, 'architecture,accuracy\n0-1-2,50\n'), SPACE)
    assert table.rows([SPACE.architecture('012')]).tolist() == [0]
    with pytest.raises(KeyError, match="'000' is not in the table"):
        table.rows([SPACE.architecture('000')])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'line 1: the columns .* must include'),
        ('architecture,top1\n012,5\n', "one whose name contains 'accuracy'"),
        ('architecture,accuracy,accuracy\n012,5,5\n', 'line 1: a column occurs twice'),
        ('architecture,accuracy\n', 'no networks below its first line'),
        (TABLE + '013,5,1,1,1\n', "line 4, column 'architecture': '0-1-3' must have 3 places"),
        (TABLE + '012,5,1,1,1\n', "line 4, column 'architecture': '012' occurs twice"),
        (TABLE + '011,x,1,1,1\n', "line 4, column 'accuracy': 'x' is not a number"),
        (TABLE + '011,101,1,1,1\n', r"line 4, column 'accuracy': 101 is outside \[0, 100\]"),
        (TABLE + '011,5,1,,1\n', "line 4, column 'params_of_us': '' is not a number"),
        (TABLE + '011,5,nan,1,1\n', "line 4, column 'std': nan is outside"),
        (TABLE + '011,5\n', 'line 4: 2 columns, but the first line has 5'),
        ('architecture,accuracy\n0\x001,5\n', 'line 2'),
    ],
)
def test_an_error_names_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf'table\.csv.*{message}'):
        read_truth_table(_write(tmp_path, text), SPACE)
    with pytest.raises(ValueError, match=r"table\.csv, line 1: there is no column 'other'"):
        read_truth_table(_write(tmp_path, TABLE), SPACE, 'other')


def test_a_sample_has_each_function_once_and_follows_the_seed(tables: Path) -> None:
    space = NASBench201Space()
    table = read_truth_table(tables / 'nas_bench_201_cifar10.csv', space)
    rows = table.sample(40, seed=0)
    paths = space.paths(table.indices[rows])
    assert len({space.function_key(path) for path in paths}) == 40
    assert not any(space.is_dead(path) for path in paths)
    assert table.sample(15, seed=0).tolist() == rows[:15].tolist()
    assert table.sample(40, seed=1).tolist() != rows.tolist()
    with pytest.raises(ValueError, match='that compute different functions'):
        table.sample(len(table) + 1, seed=0)


def test_networks_that_compute_the_same_are_sampled_once(tmp_path: Path) -> None:
    # Where a stage has its identity does not matter.
    text = 'architecture,accuracy\n102,50\n120,51\n000,40\n'
    table = read_truth_table(_write(tmp_path, text), NASBenchMacroSpace(channels=(4,), layers=(3,)))
    for seed in range(4):
        rows = table.sample(2, seed)
        assert 2 in rows
        assert len(np.unique(rows)) == 2
