"""How well a score ranks the networks of a table of truth."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike

import numpy as np

from mmrel.utils.json_lines import read_rows

from .estimates import Estimate, kendall_tau, spearman_rho, top_k_regret
from .truth_table import TruthTable

_TOP = (1, 5, 10)
FEWEST = 20


@dataclass(frozen=True)
class ScoreRanking:
    """Agreement of one score with the truth.

    Attributes:
        name (str): The score's name.
        tau (Estimate): Kendall's tau-b.
        rho (Estimate): Spearman's rho.
        in_bands (Estimate, optional): Kendall's tau-b over the pairs whose networks are in
            the same band of FLOPs. None if the score does not rank them.
        bands (list[Estimate | None]): Kendall's tau-b in each band of FLOPs, the lowest
            first.
        regret (dict[int, Estimate]): For k, the best accuracy of the sample minus the
            best among the k networks with the best scores, in points.
        regret_of_table (dict[int, Estimate]): The same, from the best of the table.
    """

    name: str
    tau: Estimate
    rho: Estimate
    in_bands: Estimate | None
    bands: list[Estimate | None]
    regret: dict[int, Estimate]
    regret_of_table: dict[int, Estimate]

    def to_dict(self) -> dict:
        """For JSON; each number has its interval."""
        return asdict(self)


def flops_bands(flops: np.ndarray, number: int) -> np.ndarray:
    """The band of each network: as equal in size as ties allow, (N,), int64."""
    edges = np.quantile(flops, np.arange(1, number) / number)
    return np.searchsorted(edges, flops, side='left')


def trivial_scores(table: TruthTable, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Scores that need no supernet: costs, the number of layers, other accuracies.

    Args:
        table (TruthTable): The table.
        rows (np.ndarray): Rows of N networks.

    Returns:
        dict[str, np.ndarray]: By name, (N,) each.
    """
    layers = table.space.active_layers(table.indices)
    scores = {**table.costs, 'layers': layers, **table.others}
    return {name: values[rows] for name, values in scores.items() if len(set(values[rows])) > 1}


def rank_score(
    name: str, score: np.ndarray, table: TruthTable, rows: np.ndarray, bands: int = 4
) -> ScoreRanking:
    """Compare a score with the truth.

    Args:
        name (str): The score's name.
        score (np.ndarray): The higher the better, (N,).
        table (TruthTable): The table.
        rows (np.ndarray): The networks' rows in the table, (N,).
        bands (int): Number of bands of FLOPs. Defaults to 4.

    Returns:
        ScoreRanking: All numbers, with intervals by resampling the networks.

    Raises:
        ValueError: If there are fewer than 20 networks, or a score is not finite.
    """
    score, truth = np.asarray(score, dtype=np.float64), table.accuracy[rows]
    if len(score) < FEWEST:
        raise ValueError(
            f'{len(score)} networks are too few for an interval: rank at least {FEWEST}'
        )
    if not np.isfinite(score).all():
        raise ValueError(f'{name}: the scores are not all finite')
    band = flops_bands(table.costs['flops'][rows], bands)
    inside = [band == i for i in np.unique(band)]
    top = [k for k in _TOP if k < len(score)]
    best = float(table.accuracy.max())
    return ScoreRanking(
        name,
        kendall_tau(score, truth),
        spearman_rho(score, truth),
        _tau_or_none(score, truth, band),
        [_tau_or_none(score[own], truth[own]) for own in inside],
        {k: top_k_regret(score, truth, k) for k in top},
        {k: top_k_regret(score, truth, k, best) for k in top},
    )


def _tau_or_none(
    score: np.ndarray, truth: np.ndarray, groups: np.ndarray | None = None
) -> Estimate | None:
    """Kendall's tau, or None where a score is constant or has no interval."""
    try:
        return kendall_tau(score, truth, groups)
    except ValueError:
        return None


def truth_ceiling(table: TruthTable, rows: np.ndarray, seed: int = 0) -> Estimate | None:
    """Kendall's tau of the truth with itself plus its noise, if the table has the noise.

    No score can be expected to rank better than another run of the same trainings does.

    Args:
        table (TruthTable): The table.
        rows (np.ndarray): Rows of N networks.
        seed (int): Seed of the noise. Defaults to 0.

    Returns:
        Estimate, optional: None without ``table.noise``.
    """
    if table.noise is None:
        return None
    truth, noise = table.accuracy[rows], table.noise[rows]
    again = truth + noise * np.random.default_rng(seed).standard_normal(len(rows))
    return kendall_tau(truth, again)


def ranking_table(found: Sequence[ScoreRanking]) -> str:
    """A Markdown table with one line per score."""
    top = list(found[0].regret)
    head = [
        'score',
        "Kendall's tau",
        "Spearman's rho",
        'tau within FLOPs bands',
        'tau in each band',
    ]
    head += [f'regret of top {k}' for k in top] + [f'from the best of the table, {top[0]}']
    lines = [head, ['---'] * len(head)]
    for row in found:
        bands = ', '.join(str(tau or '-') for tau in row.bands)
        lines.append(
            [row.name, str(row.tau), str(row.rho), str(row.in_bands or '-'), bands]
            + [f'{row.regret[k]:.2f}' for k in top]
            + [f'{row.regret_of_table[top[0]]:.2f}']
        )
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def read_scores(file: str | PathLike, score: str) -> dict[str, float]:
    """Read a supernet's scores.

    Args:
        file (str | PathLike): Rows that ``ScorePathsLoop`` wrote.
        score (str): 'loss' (minus the loss) or 'accuracy'.

    Returns:
        dict[str, float]: By the paths' keys, the higher the better.
    """
    column, sign = ('loss', -1) if score == 'loss' else ('score', 1)
    return {row['key']: sign * row[column] for row in read_rows(file)}


def aligned(scores: Mapping[str, float], keys: Sequence[str]) -> np.ndarray:
    """Scores in the order of keys, (N,).

    Raises:
        KeyError: If a key has no score.
    """
    missing = [key for key in keys if key not in scores]
    if missing:
        raise KeyError(f'{len(missing)} networks have no score, such as {missing[0]!r}')
    return np.array([scores[key] for key in keys], dtype=np.float64)
