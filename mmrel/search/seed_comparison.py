"""Compare kinds of supernets over their seeds: is one ranked better than the other?

The interval of one ranking says how it depends on the networks that were drawn. Seeds of the
supernet vary more, so a claim needs several, and the differences of their pairs.
"""

from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
from scipy import stats

from mmrel.spaces import ArchPath

from .estimates import LEVEL, Estimate, kendall_tau
from .table_ranking import aligned, flops_bands, read_scores
from .truth_table import TruthTable


def mean_over_seeds(values: Sequence[float] | np.ndarray) -> Estimate:
    """The mean of independent values, with Student's interval.

    Args:
        values (Sequence[float] | ndarray): One value per seed, (S,).

    Returns:
        Estimate: Its ``n`` is the number of seeds.

    Raises:
        ValueError: If there are fewer than two seeds.
    """
    number = len(values)
    if number < 2:
        raise ValueError(f'a mean over {number} seed has no interval: use at least 2 seeds')
    mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(number)
    half = stats.t.ppf((1 + LEVEL) / 2, number - 1) * error
    return Estimate(float(mean), float(mean - half), float(mean + half), number)


def taus_of_seeds(
    files: Sequence[str | PathLike],
    table: TruthTable,
    paths: list[ArchPath],
    score: str,
    bands: int,
) -> np.ndarray:
    """Kendall's tau-b of each seed's supernet with the truth.

    Args:
        files (Sequence[str | PathLike]): ``scores.jsonl`` of each of S seeds.
        table (TruthTable): The table.
        paths (list[ArchPath]): The networks to rank.
        score (str): As for :func:`.read_scores`.
        bands (int): Number of bands of FLOPs.

    Returns:
        ndarray: Over all pairs of networks, and over those in the same band, (S, 2).

    Raises:
        KeyError: If a file lacks a network, or the table does.
    """
    # By path: networks that differ only in unused edges share a key, but not a row.
    rows, keys = table.rows(paths), [table.space.key(path) for path in paths]
    truth, band = table.accuracy[rows], flops_bands(table.costs['flops'][rows], bands)
    found = []
    for file in files:
        try:
            values = aligned(read_scores(file, score), keys)
        except KeyError as error:
            raise KeyError(f'{file}: {error.args[0]}') from None
        found.append([kendall_tau(values, truth, groups).value for groups in (None, band)])
    return np.array(found)


def comparison_table(taus: Mapping[str, np.ndarray]) -> str:
    """A Markdown table: each group's taus, their mean, and its difference from the first group.

    Args:
        taus (Mapping[str, np.ndarray]): By group, (S, 2), from :func:`taus_of_seeds`. Seeds
            are paired by their order.

    Returns:
        str: The table.

    Raises:
        ValueError: If a group has another number of seeds than the first one.
    """
    lines = [['supernet', 'tau of each seed', 'mean', 'difference', 'mean within FLOPs bands',
              'difference']]  # fmt: skip
    lines.append(['---'] * len(lines[0]))
    first_name, first = next(iter(taus.items()))
    for name, values in taus.items():
        if len(values) != len(first):
            raise ValueError(
                f'{name} has {len(values)} seeds and {first_name} has {len(first)}: pairs need '
                'the same seeds, in the same order'
            )
        cells = [name, ', '.join(f'{tau:.3f}' for tau in values[:, 0])]
        for column in range(2):
            cells.append(str(mean_over_seeds(values[:, column])))
            difference = values[:, column] - first[:, column]
            cells.append('' if name == first_name else str(mean_over_seeds(difference)))
        lines.append(cells)
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
