"""Kinds of supernets compared over their seeds."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mmrel.search.seed_comparison import (
    comparison_table,
    mean_over_seeds,
    scored_paths,
    scores_of_seeds,
    taus_of_seeds,
)
from mmrel.search.truth_table import TruthTable
from mmrel.spaces import NASBench201Space
from mmrel.utils.json_lines import format_rows


def _write(file: Path, table: TruthTable, rows: np.ndarray, scores: np.ndarray) -> str:
    keys = [table.space.key(path) for path in table.space.paths(table.indices[rows])]
    pairs = zip(keys, scores.tolist(), strict=True)
    file.write_text(format_rows([dict(key=key, loss=-x, score=x) for key, x in pairs]))
    return str(file)


def test_the_interval_is_students_and_holds_the_truth_as_often_as_it_says() -> None:
    values = np.random.default_rng(0).normal(0.3, 0.1, (2000, 5))
    found = [mean_over_seeds(row) for row in values]
    expected = stats.ttest_1samp(values[0], 0).confidence_interval(0.95)
    assert (found[0].low, found[0].high) == pytest.approx((expected.low, expected.high))
    assert found[0].n == 5
    assert 0.93 < np.mean([x.low < 0.3 < x.high for x in found]) < 0.97
    with pytest.raises(ValueError, match='seeds: 1; a mean needs at least 2'):
        mean_over_seeds([0.5])


def test_taus_are_those_of_the_same_networks_in_any_order(
    table: TruthTable, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    rows = table.sample(30, 0)
    paths = table.space.paths(table.indices[rows])
    noise = generator.standard_normal((2, 30))
    scores = [table.accuracy[rows] + spread * noise[i] for i, spread in enumerate((0.1, 2.0))]
    order = generator.permutation(30)
    files = [
        _write(tmp_path / 'a.jsonl', table, rows, scores[0]),
        _write(tmp_path / 'b.jsonl', table, rows[order], scores[1][order]),
    ]
    found = taus_of_seeds(files, table, paths, 'loss', 3)
    truth = table.accuracy[rows]
    expected = [stats.kendalltau(x, truth).statistic for x in scores]
    assert found[:, 0] == pytest.approx(expected)
    # tau-b over the pairs in a band, by definition; the truth has ties.
    edges = np.quantile(table.costs['flops'][rows], [1 / 3, 2 / 3])
    band = np.searchsorted(edges, table.costs['flops'][rows], side='left')
    pairs = [(i, j) for i in range(30) for j in range(i) if band[i] == band[j]]
    first, second = (np.sign([x[i] - x[j] for i, j in pairs]) for x in (scores[1], truth))
    tied = np.sqrt((first**2).sum() * (second**2).sum())
    assert found[1, 1] == pytest.approx((first * second).sum() / tied)


def test_scores_have_a_mean_and_a_spread(table: TruthTable, tmp_path: Path) -> None:
    rows, scores = table.sample(30, 0), np.random.default_rng(0).random((2, 30))
    files = [
        _write(tmp_path / f'{i}.jsonl', table, rows, values) for i, values in enumerate(scores)
    ]
    spread = scores.std(1)
    for score, means in (('loss', -scores.mean(1)), ('accuracy', scores.mean(1))):
        found = scores_of_seeds(files, score)
        assert found == pytest.approx(np.stack([means, spread], axis=1))
    text = comparison_table(dict(a=found, b=found + 1), 'accuracy', 'spread').splitlines()
    assert text[0].startswith(
        '| supernet | accuracy of each seed | mean | difference | mean of the s'
    )
    assert text[-1].count('1.000 [1.000, 1.000]') == 2


def test_missing_networks_are_named(table: TruthTable, tmp_path: Path) -> None:
    rows = table.sample(30, 0)
    paths = table.space.paths(table.indices[rows])
    file = _write(tmp_path / 'few.jsonl', table, rows[:-1], table.accuracy[rows[:-1]])
    with pytest.raises(KeyError, match='1 networks have no score'):
        taus_of_seeds([file], table, paths, 'loss', 4)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(), None),
        (dict(rows=19), 'b.jsonl has 19 networks: rank at least 20'),
        (dict(rows=22), '22, 24 and 22 in both'),
        (dict(loss=float('nan')), 'b.jsonl: the scores are not all finite'),
        (dict(loss=1.0), 'or all are the same'),
        (dict(column='accuracy'), "b.jsonl: a row has no 'loss'"),
    ],
)
def test_all_files_must_score_the_same_networks(
    change: dict, message: str | None, tmp_path: Path
) -> None:
    rows = [dict(path=dict(a=i), key=str(i), loss=float(i)) for i in range(24)]
    (tmp_path / 'a.jsonl').write_text(format_rows(rows))
    other = [dict(row, loss=change.get('loss', row['loss'])) for row in rows[: change.get('rows')]]
    if 'column' in change:
        other = [dict(key=row['key'], score=1.0) for row in rows]
    (tmp_path / 'b.jsonl').write_text(format_rows(other[::-1]))
    files = [tmp_path / 'a.jsonl', tmp_path / 'b.jsonl']
    if message is None:
        assert scored_paths(files, 'loss') == [row['path'] for row in rows]
        return
    with pytest.raises(ValueError, match=message):
        scored_paths(files, 'loss')


def test_of_networks_with_one_key_the_scored_one_counts(tmp_path: Path) -> None:
    """Cells that differ only in an unused edge have the same key and other accuracies."""
    space = NASBench201Space()
    generator = np.random.default_rng(0)
    # Without edge_0_1, edge_1_2 and edge_1_3 are not used; with edge_0_3, no cell is dead.
    first = np.array([(0, a, 1, b, 3, c) for a in (3, 4) for b in (1, 2, 3, 4) for c in (3, 4)])
    second = first + np.array([0, 0, 0, 0, 1, 0])
    used = [space.key(path) for path in space.paths(first)]
    assert used == [space.key(path) for path in space.paths(second)]
    truth = generator.random((2, len(first)))
    table = TruthTable(
        space,
        np.concatenate([first, second]),
        truth.ravel(),
        costs=dict(flops=np.arange(2.0 * len(first))),
    )
    rows = [dict(key=key, loss=-x) for key, x in zip(used, truth[0].tolist(), strict=True)]
    (tmp_path / 'a.jsonl').write_text(format_rows(rows))
    found = taus_of_seeds([tmp_path / 'a.jsonl'], table, space.paths(first), 'loss', 1)
    assert found.tolist() == [[1.0, 1.0]]


def test_the_differences_are_those_of_the_pairs() -> None:
    one = np.array([[0.1, 0.0], [0.5, 0.1], [0.3, 0.2]])
    # Better in each pair by nearly the same, though the groups overlap.
    two = one + np.array([[0.04], [0.05], [0.06]])
    lines = comparison_table({'K = 1': one, 'K = 4': two}).splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    assert cells[2][:2] == ['K = 1', '0.100, 0.500, 0.300']
    assert cells[2][3] == cells[2][5] == ''
    assert cells[3][3] == cells[3][5] == str(mean_over_seeds([0.04, 0.05, 0.06]))
    assert cells[3][2] == str(mean_over_seeds([0.14, 0.55, 0.36]))
    assert mean_over_seeds([0.04, 0.05, 0.06]).low > 0 > mean_over_seeds([0.14, 0.55, 0.36]).low
    with pytest.raises(ValueError, match='seeds of K = 4: 2, of K = 1: 3'):
        comparison_table({'K = 1': one, 'K = 4': two[:2]})
