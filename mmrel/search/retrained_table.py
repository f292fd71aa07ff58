"""A ground-truth table from networks that were trained alone with several seeds."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np

from mmrel.spaces import ArchPath, SearchSpace
from mmrel.utils.json_lines import read_rows

from .estimates import Estimate, kendall_tau

_ACCURACY = 'top1'


@dataclass(frozen=True)
class RetrainedTable:
    """Accuracies of N networks in R trainings with different seeds.

    Attributes:
        space (SearchSpace): The space.
        paths (list[ArchPath]): The N networks.
        runs (np.ndarray): Accuracies in percent, (N, R), float64.
        seeds (list[int]): The R seeds.
    """

    space: SearchSpace
    paths: list[ArchPath]
    runs: np.ndarray
    seeds: list[int]

    @property
    def accuracy(self) -> np.ndarray:
        """Mean over the seeds, (N,)."""
        return self.runs.mean(axis=1)

    @property
    def noise(self) -> np.ndarray | None:
        """Standard deviation of each network between the seeds, (N,); None with one seed."""
        return self.runs.std(axis=1, ddof=1) if len(self.seeds) > 1 else None

    def agreement(self) -> list[Estimate]:
        """Kendall's tau of the first seed with each other one, (R - 1)."""
        return [kendall_tau(self.runs[:, 0], other) for other in self.runs.T[1:]]

    def report(self) -> str:
        """A few lines on the noise of the truth."""
        spread = float(self.accuracy.std(ddof=1))
        text = (
            f'{len(self.paths)} networks, accuracy {self.accuracy.min():.2f} to '
            f'{self.accuracy.max():.2f}, standard deviation between networks {spread:.2f}'
        )
        if self.noise is None:
            return (
                f'{text}\nthe noise of the truth is not known: the networks were trained with one '
                'seed only; train them with a second seed'
            )
        one = float(np.sqrt(np.mean(self.noise**2)))
        mean = one / len(self.seeds) ** 0.5
        text += (
            f'\nnoise of the truth: standard deviation {one:.2f} between seeds of a network, '
            f'{mean:.2f} of the mean of {len(self.seeds)} seeds'
        )
        try:
            taus = ', '.join(map(str, self.agreement()))
        except ValueError as error:  # too few networks, or all are equal
            return f"{text}\nKendall's tau of the seeds is left out: {error}"
        return f"{text}\nKendall's tau of the first seed with the others: {taus}"

    def to_csv(self) -> str:
        """The text of a table that :func:`.truth_table.read_truth_table` reads."""
        indices = self.space.indices(self.paths)
        columns: dict[str, Sequence] = dict(
            architecture=[self.space.architecture_text(path) for path in self.paths],
            accuracy=[f'{value:.4f}' for value in self.accuracy],
        )
        if self.noise is not None:
            columns['std'] = [f'{value:.4f}' for value in self.noise]
        columns['flops'] = self.space.flops(indices).tolist()
        columns['params'] = self.space.parameters(indices).tolist()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator='\n')
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return text.getvalue()


def _accuracies(file: str | PathLike, space: SearchSpace) -> tuple[int, dict[str, Mapping]]:
    """The seed and the rows of a file, by key."""
    rows: dict[str, Mapping] = {}
    seeds = set()
    for number, row in enumerate(read_rows(file), 1):
        lacking = {'key', 'path', 'seed', 'space', _ACCURACY} - set(row)
        if lacking:
            raise ValueError(
                f'{file}, line {number} lacks {sorted(lacking)}: it must be a retrained.jsonl of '
                'tools/analysis/retrain_paths.py'
            )
        if row['space'] != space.fingerprint():
            raise ValueError(
                f"{file}, line {number} is a network of another space than the config's"
            )
        accuracy = row[_ACCURACY]
        if not isinstance(accuracy, int | float) or not 0 <= accuracy <= 100:
            raise ValueError(
                f'{file}, line {number}: {_ACCURACY}={accuracy!r} is not an accuracy in percent'
            )
        seeds.add(row['seed'])
        rows[row['key']] = row
    if len(seeds) != 1:
        raise ValueError(f'{file} has the seeds {sorted(seeds)}: it must have one')
    return seeds.pop(), rows


def read_retrained(files: Sequence[str | PathLike], space: SearchSpace) -> RetrainedTable:
    """Read networks that ``tools/analysis/retrain_paths.py`` trained, one file per seed.

    Args:
        files (Sequence[str | PathLike]): Files ``retrained.jsonl``.
        space (SearchSpace): The space.

    Returns:
        RetrainedTable: The networks, in the order of the first file.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file has another format, belongs to another space or has the seed
            of another one, if the files have different networks or fewer than two, or an
            accuracy is not in percent.
    """
    by_seed: dict[int, dict[str, Mapping]] = {}
    for file in files:
        seed, rows = _accuracies(file, space)
        if seed in by_seed:
            raise ValueError(f'{file} has seed {seed}, like an earlier file')
        by_seed[seed] = rows
        first = next(iter(by_seed.values()))
        different = set(first) ^ set(rows)
        if different:
            raise ValueError(
                f'{file} and {files[0]} have different networks ({len(different)} are in only one '
                'of them): finish both with retrain_paths.py'
            )
    if len(next(iter(by_seed.values()))) < 2:
        raise ValueError(f'{files[0]} has fewer than two networks: train more of them')
    order = list(next(iter(by_seed.values())).values())
    runs = [[rows[row['key']][_ACCURACY] for rows in by_seed.values()] for row in order]
    return RetrainedTable(space, [row['path'] for row in order], np.array(runs), list(by_seed))
