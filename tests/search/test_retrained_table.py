"""Tables of truth from networks that were trained with several seeds."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from mmrel.search.retrained_table import read_retrained
from mmrel.search.truth_table import read_truth_table
from mmrel.spaces import NASBenchMacroSpace

SPACE = NASBenchMacroSpace(channels=(4, 8), layers=(1, 2), stem_channels=4, last_channels=8)
PATHS = SPACE.paths(np.array([[0, 1, 2], [2, 1, 0], [1, 1, 1], [2, 2, 2], [0, 0, 1]]))
RUNS = np.array([[50.0, 51.5], [40.25, 40.75], [60, 58], [61, 62], [30.5, 30.5]])


def _write(folder: Path, seed: int, order: list[int], **changes: object) -> Path:
    rows = [
        dict(key=SPACE.key(PATHS[i]), path=PATHS[i], top1=RUNS[i, seed], seed=seed)
        | dict(space=SPACE.fingerprint())
        | changes
        for i in order
    ]
    file = folder / f'{seed}.jsonl'
    file.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return file


def test_the_csv_reads_back_as_the_mean_and_deviation(tmp_path: Path) -> None:
    files = [_write(tmp_path, 0, [0, 1, 2, 3, 4]), _write(tmp_path, 1, [4, 2, 0, 1, 3])]
    table = read_retrained(files, SPACE)
    (tmp_path / 'table.csv').write_text(table.to_csv())
    read = read_truth_table(tmp_path / 'table.csv', SPACE)
    assert SPACE.paths(read.indices) == PATHS
    np.testing.assert_allclose(read.accuracy, RUNS.mean(1), atol=1e-4)
    np.testing.assert_allclose(read.noise, np.abs(RUNS[:, 0] - RUNS[:, 1]) / 2**0.5, atol=1e-4)
    np.testing.assert_array_equal(read.costs['flops'], SPACE.flops(read.indices))


def test_the_report_states_the_noise(tmp_path: Path) -> None:
    one = read_retrained([_write(tmp_path, 0, [0, 1, 2, 3, 4])], SPACE)
    assert 'noise of the truth is not known' in one.report()
    assert 'std' not in one.to_csv()
    two = read_retrained([tmp_path / '0.jsonl', _write(tmp_path, 1, [4, 3, 2, 1, 0])], SPACE)
    pooled = np.sqrt(((RUNS[:, 0] - RUNS[:, 1]) ** 2 / 2).mean())
    report = two.report()
    assert f'deviation {pooled:.2f} between seeds of a network' in report
    assert f'{pooled / 2**0.5:.2f} of the mean of 2 seeds' in report
    (tau,) = two.agreement()
    assert tau.value == pytest.approx(kendalltau(RUNS[:, 0], RUNS[:, 1])[0])
    assert str(tau) in report


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(order=[0, 1, 2, 3]), 'have different networks .1 are in only one'),
        (dict(seed=0), 'has seed 0, like an earlier file'),
        (dict(space='other'), 'line 1 is a network of another space'),
    ],
)
def test_files_that_do_not_belong_together(tmp_path: Path, change: dict, message: str) -> None:
    first = _write(tmp_path, 0, [0, 1, 2, 3, 4])
    folder = tmp_path / 'other'
    folder.mkdir()
    seed, order = change.pop('seed', 1), change.pop('order', [0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match=message):
        read_retrained([first, _write(folder, seed, order, **change)], SPACE)


def test_a_file_of_another_tool(tmp_path: Path) -> None:
    (tmp_path / 'paths.jsonl').write_text('{"path": {}}\n')
    with pytest.raises(ValueError, match=r"paths.jsonl, line 1 lacks \['key', 'seed', 'space'"):
        read_retrained([tmp_path / 'paths.jsonl'], SPACE)


@pytest.mark.parametrize('accuracy', [float('nan'), 101, None, 'x'])
def test_an_accuracy_that_is_not_one(tmp_path: Path, accuracy: object) -> None:
    file = _write(tmp_path, 0, [0, 1, 2], top1=accuracy)
    with pytest.raises(ValueError, match=r'0.jsonl, line 1: top1=.* is not an accuracy'):
        read_retrained([file], SPACE)


def test_one_network_is_refused_and_equal_ones_have_no_tau(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='fewer than two networks'):
        read_retrained([_write(tmp_path, 0, [0])], SPACE)
    files = [_write(tmp_path, seed, [0, 1, 2], top1=50.0) for seed in (0, 1)]
    table = read_retrained(files, SPACE)
    assert 'tau of the seeds is left out: ' in table.report()
    assert table.to_csv().count('50.0000') == 3
