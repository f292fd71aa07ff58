"""Rank statistics with their intervals, against slow references."""

import itertools

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from mmrel.search.estimates import (
    RESAMPLES,
    Estimate,
    bootstrap,
    kendall_tau,
    mean_kendall_tau,
    resamples,
    spearman_rho,
    top_k_regret,
)


def _scores(n: int = 30, ties: bool = True) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    x = draw.integers(0, 12, n).astype(float) if ties else draw.random(n)
    return x, x + draw.normal(0, 4 if ties else 0.4, n)


def test_a_number_without_an_interval_is_refused() -> None:
    assert f'{Estimate(0.5, 0.25, 0.75, 9)}' == '0.500 [0.250, 0.750]'
    assert f'{Estimate(0.5, 0.25, 0.75, 9):.1f}' == '0.5 [0.2, 0.8]'
    for low, high in ((np.nan, 1), (0.9, 0.1)):
        with pytest.raises(ValueError, match='has no interval'):
            Estimate(0.5, low, high, 9)
    with pytest.raises(TypeError):
        Estimate(0.5)
    with pytest.raises(ValueError, match='from 4 networks; use more networks'):
        kendall_tau(np.ones(4), np.arange(4.0))


@pytest.mark.parametrize('ties', [True, False])
def test_each_resample_has_scipy_s_tau_and_rho(ties: bool) -> None:
    x, y = _scores(ties=ties)
    slow = [
        [f(x[rows], y[rows]).statistic for f in (kendalltau, spearmanr)]
        for rows in resamples(len(x), seed=1)
    ]
    for i, (fast, whole) in enumerate(((kendall_tau, kendalltau), (spearman_rho, spearmanr))):
        found = fast(x, y, seed=1)
        assert found.value == pytest.approx(whole(x, y).statistic, abs=1e-6)
        ends = np.quantile([row[i] for row in slow], [0.025, 0.975])
        assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-6)
        assert found.n == 30


def test_only_pairs_within_a_group_count() -> None:
    x, y = _scores(12)
    groups = np.arange(12) % 3
    pairs = [
        (np.sign(x[i] - x[j]), np.sign(y[i] - y[j]))
        for i, j in itertools.combinations(range(12), 2)
        if groups[i] == groups[j]
    ]
    first, second = np.array(pairs).T
    expected = (first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum())
    assert kendall_tau(x, y, groups).value == pytest.approx(expected)


def test_the_mean_tau_of_seeds_has_one_interval_for_all() -> None:
    x, y = _scores(ties=False)
    other = np.random.default_rng(4).random(30)
    found = mean_kendall_tau([x, other], y)
    taus = [kendall_tau(scores, y).value for scores in (x, other)]
    assert found.value == pytest.approx(np.mean(taus))
    drawn = [
        np.mean([kendalltau(scores[rows], y[rows]).statistic for scores in (x, other)])
        for rows in resamples(30)
    ]
    ends = np.quantile(drawn, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-6)


def test_the_bootstrap_of_a_mean_covers_the_truth_as_often_as_it_says() -> None:
    draw, inside = np.random.default_rng(0), 0
    for seed in range(100):
        values = draw.normal(2.0, 1.0, 40)
        found = bootstrap(lambda rows, values=values: values[rows].mean(), 40, seed)
        inside += found.low <= 2.0 <= found.high
    assert 88 <= inside <= 100
    assert len(resamples(40)) == RESAMPLES


def test_regret_by_hand() -> None:
    accuracy = np.array([90.0, 80, 70, 60, 50])
    score = np.array([1.0, 5, 4, 3, 2])
    assert top_k_regret(score, accuracy, 1).value == 10
    assert top_k_regret(score, accuracy, 4).value == 10
    assert top_k_regret(score, accuracy, 5).value == 0
    assert top_k_regret(score, accuracy, 1, best=95.0).value == 15
    # With equal scores the first row counts as the best.
    assert top_k_regret(np.zeros(5), accuracy, 1).value == 0
    assert top_k_regret(accuracy, accuracy, 1).high == 0
