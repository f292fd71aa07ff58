"""How well scores rank the networks of a table."""

import json

import numpy as np
import pytest
from scipy.stats import kendalltau

from mmrel.search.estimates import Estimate
from mmrel.search.table_ranking import (
    aligned,
    flops_bands,
    rank_score,
    ranking_table,
    trivial_scores,
    truth_ceiling,
)
from mmrel.search.truth_table import TruthTable


def test_the_truth_ranks_itself_and_noise_does_not(table: TruthTable) -> None:
    rows = table.sample(40, 0)
    best = rank_score('truth', table.accuracy[rows], table, rows)
    assert best.tau.value == best.rho.value == best.in_bands.value == 1
    assert best.regret[1] == Estimate(0, 0, 0, 40)
    assert best.regret_of_table[1].value == pytest.approx(
        table.accuracy.max() - table.accuracy[rows].max()
    )
    noise = rank_score('noise', np.random.default_rng(0).random(40), table, rows)
    assert noise.tau.low < 0 < noise.tau.high
    text = ranking_table([best, noise])
    assert text.count('\n') == 3
    assert str(noise.tau) in text
    assert json.loads(json.dumps(noise.to_dict()))['tau']['low'] == noise.tau.low


def test_bands_are_quarters_by_flops_and_only_they_count(table: TruthTable) -> None:
    rows = table.sample(48, 0)
    flops = table.costs['flops'][rows]
    band = flops_bands(flops, 4)
    assert np.bincount(band).tolist() == [12] * 4
    assert max(flops[band == 1]) <= min(flops[band == 2])
    found = rank_score('flops', flops, table, rows)
    for i, estimate in enumerate(found.bands):
        own = band == i
        expected = kendalltau(flops[own], table.accuracy[rows][own]).statistic
        assert estimate.value == pytest.approx(expected)
    # A score that knows only the band does not rank within it.
    coarse = rank_score('band', band.astype(float), table, rows)
    assert coarse.in_bands is None
    assert coarse.bands == [None] * 4
    assert '| - | -, -, -, - |' in ranking_table([coarse])


def test_trivial_scores_are_the_tables_costs_and_the_layers(table: TruthTable) -> None:
    rows = table.sample(20, 0)
    scores = trivial_scores(table, rows)
    assert list(scores) == ['flops', 'parameters', 'layers']
    assert scores['layers'].tolist() == [(row != 0).sum() for row in table.indices[rows]]


def test_the_ceiling_is_below_one_and_needs_the_noise(table: TruthTable) -> None:
    rows = table.sample(30, 0)
    ceiling = truth_ceiling(table, rows)
    assert 0.8 < ceiling.value < 1
    assert truth_ceiling(TruthTable(table.space, table.indices, table.accuracy), rows) is None


def test_scores_are_checked(table: TruthTable) -> None:
    rows = table.sample(20, 0)
    with pytest.raises(ValueError, match='19 networks are too few'):
        rank_score('x', np.arange(19), table, rows[:19])
    with pytest.raises(ValueError, match='x: the scores are not all finite'):
        rank_score('x', np.full(20, np.nan), table, rows)
    assert aligned(dict(a=1, b=2), ['b', 'a']).tolist() == [2, 1]
    with pytest.raises(KeyError, match="1 networks have no score, such as 'c'"):
        aligned(dict(a=1), ['a', 'c'])
