"""Rank correlation between two scores of the same paths."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RankCorrelation:
    """Agreement of two rankings, from -1 (reversed) to 1.

    Attributes:
        tau (float): Kendall's tau-b.
        tau_p (float): Its p-value; the null hypothesis is no association.
        rho (float): Spearman's rho.
        rho_p (float): Its p-value.
        n (int): Number of paths.
    """

    tau: float
    tau_p: float
    rho: float
    rho_p: float
    n: int


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> RankCorrelation:
    """Kendall's tau and Spearman's rho of two scores of the same paths.

    Args:
        x (Sequence[float]): The first score of each path.
        y (Sequence[float]): The second score of each path.

    Returns:
        RankCorrelation: Both coefficients, with their p-values.

    Raises:
        ValueError: If there are fewer than 3 paths, a score is not finite, or all paths
            have the same score.
    """
    from scipy.stats import kendalltau, spearmanr

    if len(x) != len(y) or len(x) < 3:
        raise ValueError(
            f'a rank correlation needs at least 3 pairs, not {len(x)} and {len(y)} scores'
        )
    for name, values in (('first', x), ('second', y)):
        if not all(map(math.isfinite, values)):
            raise ValueError(f'the {name} scores are not all finite numbers')
        if len(set(values)) == 1:
            raise ValueError(f'the {name} scores are all {values[0]}: they cannot be ranked')
    tau, rho = kendalltau(x, y), spearmanr(x, y)
    return RankCorrelation(
        float(tau.statistic), float(tau.pvalue), float(rho.statistic), float(rho.pvalue), len(x)
    )
