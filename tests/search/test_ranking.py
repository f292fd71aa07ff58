"""Rank correlation against a count of pairs."""

import itertools

import numpy as np
import pytest

from mmrel.search.ranking import rank_correlation


def test_rank_correlation_equals_counting_pairs() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.permutation(12).tolist(), draw.permutation(12).tolist()
    signs = [
        np.sign((x[i] - x[j]) * (y[i] - y[j])) for i, j in itertools.combinations(range(12), 2)
    ]
    found = rank_correlation(x, y)
    assert found.tau.value == pytest.approx(np.mean(signs))
    distance = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    assert found.rho.value == pytest.approx(1 - 6 * distance / (12 * 143))
    assert str(found).startswith(f"Kendall's tau {found.tau}, Spearman's rho {found.rho}")
    assert found.tau.low < found.tau.value < found.tau.high
    for scores, message in (([1, 1, 1], 'cannot be ranked'), ([1, 2, float('nan')], 'finite')):
        with pytest.raises(ValueError, match=message):
            rank_correlation([1, 2, 3], scores)
    with pytest.raises(ValueError, match='3 pairs'):
        rank_correlation([1, 2], [1, 2])
