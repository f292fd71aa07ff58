"""Rank correlation between two scores of the same paths."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .estimates import Estimate, kendall_tau, spearman_rho


@dataclass(frozen=True)
class RankCorrelation:
    """Agreement of two rankings, from -1 (reversed) to 1.

    Attributes:
        tau (Estimate): Kendall's tau-b.
        rho (Estimate): Spearman's rho.
        n (int): Number of paths.
    """

    tau: Estimate
    rho: Estimate
    n: int

    def __str__(self) -> str:
        return f"Kendall's tau {self.tau}, Spearman's rho {self.rho} ({self.n} paths)"


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> RankCorrelation:
    """Kendall's tau and Spearman's rho of two scores of the same paths.

    Args:
        x (Sequence[float]): The first score of each path.
        y (Sequence[float]): The second score of each path.

    Returns:
        RankCorrelation: Both coefficients, with 95% bootstrap intervals.

    Raises:
        ValueError: If there are fewer than 3 paths, a score is not finite, or all paths
            have the same score.
    """
    if len(x) != len(y) or len(x) < 3:
        raise ValueError(
            f'a rank correlation needs at least 3 pairs, not {len(x)} and {len(y)} scores'
        )
    for name, values in (('first', x), ('second', y)):
        if not all(map(math.isfinite, values)):
            raise ValueError(f'the {name} scores are not all finite numbers')
        if len(set(values)) == 1:
            raise ValueError(f'the {name} scores are all {values[0]}: they cannot be ranked')
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return RankCorrelation(kendall_tau(first, second), spearman_rho(first, second), len(x))
