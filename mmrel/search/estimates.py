"""Estimates that carry their interval, by the bootstrap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, without which it is neither printed nor stored.

    Attributes:
        value (float): The number.
        low (float): Lower end of the interval.
        high (float): Upper end of the interval.
        n (int): Number of networks that it is computed from.
        level (float): Coverage of the interval. Defaults to 0.95.
    """

    value: float
    low: float
    high: float
    n: int
    level: float = LEVEL

    def __post_init__(self) -> None:
        """Refuse a number without an interval."""
        if not (np.isfinite([self.value, self.low, self.high]).all() and self.low <= self.high):
            raise ValueError(
                f'{self.value} has no interval: [{self.low}, {self.high}] from {self.n} networks; '
                'use more networks'
            )

    def __str__(self) -> str:
        return f'{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]'

    def __format__(self, spec: str) -> str:
        """The number and its interval, each in this format; by default with three digits."""
        if not spec:
            return str(self)
        return f'{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]'


def resamples(n: int, seed: int = 0, number: int = RESAMPLES) -> np.ndarray:
    """Rows of the bootstrap's samples, drawn with replacement, (R, N)."""
    return np.random.default_rng(seed).integers(0, n, (number, n))


def _interval(value: float, drawn: np.ndarray, n: int) -> Estimate:
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < RESAMPLES // 2:
        return Estimate(value, np.nan, np.nan, n)  # refuses
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high), n)


def bootstrap(statistic: Callable[[np.ndarray], float], n: int, seed: int = 0) -> Estimate:
    """Percentile interval of a statistic of N rows.

    Args:
        statistic (Callable): Maps rows, with repetitions, to the number; NaN where it
            does not exist.
        n (int): Number of rows N.
        seed (int): Seed of the resamples. Defaults to 0.

    Returns:
        Estimate: The statistic of all rows, with its interval.

    Raises:
        ValueError: If the statistic does not exist for most resamples.
    """
    drawn = np.array([statistic(rows) for rows in resamples(n, seed)])
    return _interval(statistic(np.arange(n)), drawn, n)


def _taus(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray | None, seed: int, number: int = RESAMPLES
) -> np.ndarray:
    """Kendall's tau-b of all networks, and of each of R resamples, (1 + R,).

    A resample weighs each pair of networks by how often it has both, so all of them
    are products with one matrix of the pairs' signs.
    """
    x, y = np.asarray(x), np.asarray(y)
    signs = [np.sign(np.subtract.outer(values, values)) for values in (x, y)]
    if groups is not None:
        same = np.equal.outer(groups, groups)
        signs = [sign * same for sign in signs]
    # Sums of small integers: exact.
    first, second = (sign.astype(np.float32) for sign in signs)
    weights = np.ones((number + 1, len(first)), dtype=np.float32)
    for row, drawn in enumerate(resamples(len(first), seed, number), 1):
        weights[row] = np.bincount(drawn, minlength=len(first))

    def total(matrix: np.ndarray) -> np.ndarray:
        return ((weights @ matrix).astype(np.float64) * weights).sum(axis=1)

    with np.errstate(invalid='ignore', divide='ignore'):
        return total(first * second) / np.sqrt(total(first**2) * total(second**2))


def kendall_tau(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> Estimate:
    """Kendall's tau-b of two scores, with its bootstrap interval.

    Args:
        x (np.ndarray): Scores of N networks, (N,).
        y (np.ndarray): Other scores, (N,).
        groups (np.ndarray, optional): A group for each network, (N,): only pairs within
            a group count. Defaults to None: all pairs count.
        seed (int): Seed of the resamples. Defaults to 0.

    Returns:
        Estimate: From -1 (reversed) to 1.

    Raises:
        ValueError: If there is no pair to rank.
    """
    taus = _taus(x, y, groups, seed)
    return _interval(taus[0], taus[1:], len(x))


def tau_of_seed(x: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> float:
    """Kendall's tau-b as one value of a mean over seeds, whose interval is that of the seeds.

    Args:
        x (np.ndarray): Scores of N networks, (N,).
        y (np.ndarray): Other scores, (N,).
        groups (np.ndarray, optional): As for :func:`kendall_tau`. Defaults to None.

    Returns:
        float: From -1 (reversed) to 1; NaN if there is no pair to rank.
    """
    return float(_taus(x, y, groups, 0, 0)[0])


def mean_kendall_tau(scores: Sequence[np.ndarray], y: np.ndarray, seed: int = 0) -> Estimate:
    """The mean of several scores' Kendall's tau-b with the same truth.

    Args:
        scores (Sequence[np.ndarray]): Scores of the same N networks, such as by
            supernets of several seeds, (N,) each.
        y (np.ndarray): The truth, (N,).
        seed (int): Seed of the resamples. Defaults to 0.

    Returns:
        Estimate: Its interval is that of resampled networks, not of other seeds.

    Raises:
        ValueError: If there is no pair to rank.
    """
    taus = np.mean([_taus(x, y, None, seed) for x in scores], axis=0)
    return _interval(taus[0], taus[1:], len(y))


def spearman_rho(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Estimate:
    """Spearman's rho of two scores of N networks, with its bootstrap interval."""
    n = len(x)
    rows = np.concatenate([np.arange(n)[None], resamples(n, seed)])
    ranks = [rankdata(np.asarray(values)[rows], axis=1) for values in (x, y)]
    first, second = (values - values.mean(axis=1, keepdims=True) for values in ranks)
    with np.errstate(invalid='ignore', divide='ignore'):
        rhos = (first * second).sum(1) / np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return _interval(rhos[0], rhos[1:], n)


def top_k_regret(
    score: np.ndarray, accuracy: np.ndarray, k: int, best: float | None = None, seed: int = 0
) -> Estimate:
    """What is lost by training only the k networks with the best scores.

    Args:
        score (np.ndarray): Scores of N networks, the higher the better, (N,). Of equal
            scores, the first rows come first.
        accuracy (np.ndarray): Their true accuracy, (N,).
        k (int): k.
        best (float, optional): The accuracy to compare with. Defaults to None: the best
            of the (resampled) networks.
        seed (int): Seed of the resamples. Defaults to 0.

    Returns:
        Estimate: The best accuracy minus the best among the k, in points.
    """
    score, accuracy = np.asarray(score), np.asarray(accuracy)

    def regret(rows: np.ndarray) -> float:
        # A network that was drawn twice takes two of the k places: k stays the same share.
        rows = np.sort(rows)
        chosen = rows[np.argsort(-score[rows], kind='stable')[:k]]
        return (accuracy[rows].max() if best is None else best) - accuracy[chosen].max()

    return bootstrap(regret, len(score), seed)
