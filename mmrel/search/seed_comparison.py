"""Compare kinds of supernets over their seeds: is one ranked better than the other?

The interval of one ranking only says how it depends on the networks that were drawn. Results vary
more between seeds of the supernet. A claim needs several seeds and the differences between their
pairs.
"""

from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
from scipy import stats

from mmrel.spaces import ArchPath
from mmrel.utils.json_lines import read_rows

from .estimates import LEVEL, Estimate, tau_of_seed
from .table_ranking import FEWEST, aligned, flops_bands, read_scores
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
        raise ValueError(f'seeds: {number}; a mean needs at least 2 for its interval')
    mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(number)
    half = stats.t.ppf((1 + LEVEL) / 2, number - 1) * error
    return Estimate(float(mean), float(mean - half), float(mean + half), number)


def scored_paths(files: Sequence[str | PathLike], score: str) -> list[ArchPath]:
    """The paths that all files have scored.

    Args:
        files (Sequence[str | PathLike]): ``scores.jsonl`` of several supernets.
        score (str): As for :func:`.read_scores`.

    Returns:
        list[ArchPath]: The paths of the first file.

    Raises:
        ValueError: If a file has other paths than the first one, too few of them, or a score
            that is missing, not finite, or the same for all paths.
    """
    first: set[str] = set()
    for file in files:
        try:
            scores = read_scores(file, score)
        except KeyError as error:
            raise ValueError(f'{file}: a row has no {error.args[0]!r}') from None
        values = list(scores.values())
        if len(scores) < FEWEST:
            raise ValueError(f'{file} has {len(scores)} networks: rank at least {FEWEST}')
        if not np.isfinite(values).all() or len(set(values)) == 1:
            raise ValueError(f'{file}: the scores are not all finite, or all are the same')
        first = first or set(scores)
        if set(scores) != first:
            raise ValueError(
                f'{file} has other networks than {files[0]}: {len(scores)}, {len(first)} and '
                f'{len(first & set(scores))} in both; rank the same ones with the same --n and '
                '--seed, and let the scoring finish'
            )
    return [row['path'] for row in read_rows(files[0])]


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
        KeyError: If a file or the table lacks a network.
    """
    # By path: networks that differ only in unused edges share a key, but not a row.
    rows, keys = table.rows(paths), [table.space.key(path) for path in paths]
    truth, band = table.accuracy[rows], flops_bands(table.costs['flops'][rows], bands)
    found = []
    for file in files:
        values = aligned(read_scores(file, score), keys)
        found.append([tau_of_seed(values, truth, groups) for groups in (None, band)])
    return np.array(found)


def scores_of_seeds(files: Sequence[str | PathLike], score: str) -> np.ndarray:
    """How well each seed's networks do, and how much they differ, whatever their order.

    Args:
        files (Sequence[str | PathLike]): ``scores.jsonl`` of each of S seeds.
        score (str): 'loss' or 'accuracy'.

    Returns:
        ndarray: Mean and standard deviation over the networks, (S, 2).
    """
    values = np.array([list(read_scores(file, score).values()) for file in files])
    sign = -1 if score == 'loss' else 1  # read_scores gives minus the loss
    return np.stack([sign * values.mean(1), values.std(1)], axis=1)


def comparison_table(
    values_of: Mapping[str, np.ndarray],
    first_column: str = 'tau',
    second_column: str = 'tau within FLOPs bands',
) -> str:
    """A Markdown table: each group's values, their mean, and its difference from the first group.

    Args:
        values_of (Mapping[str, np.ndarray]): By group, (S, 2), from :func:`taus_of_seeds` or
            :func:`scores_of_seeds`. Seeds are paired by their order.
        first_column (str): What the first values are. Defaults to 'tau'.
        second_column (str): What the second ones are. Defaults to 'tau within FLOPs bands'.

    Returns:
        str: The table.

    Raises:
        ValueError: If the groups have different numbers of seeds, or fewer than two.
    """
    head = ['supernet', f'{first_column} of each seed', 'mean', 'difference']
    lines = [[*head, f'mean of the {second_column}', 'difference'], ['---'] * 6]
    first_name, first = next(iter(values_of.items()))
    for name, values in values_of.items():
        if len(values) != len(first):
            raise ValueError(
                f'seeds of {name}: {len(values)}, of {first_name}: {len(first)}; pairs need the '
                'same seeds, in the same order'
            )
        cells = [name, ', '.join(f'{value:.3f}' for value in values[:, 0])]
        for column in range(2):
            cells.append(str(mean_over_seeds(values[:, column])))
            difference = values[:, column] - first[:, column]
            cells.append('' if name == first_name else str(mean_over_seeds(difference)))
        lines.append(cells)
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
