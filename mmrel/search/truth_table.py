"""Tables of truth: the accuracy of networks that were trained alone."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike

import numpy as np

from mmrel.spaces import ArchPath, SearchSpace

_ARCHITECTURE = 'architecture'


@dataclass(frozen=True)
class TruthTable:
    """Networks of a space, each with the accuracy that it reached when trained alone.

    Attributes:
        space (SearchSpace): The space.
        indices (np.ndarray): Option indices of N networks, (N, C), int64.
        accuracy (np.ndarray): Percent, (N,), float64.
        noise (np.ndarray, optional): Standard deviation of the accuracy between
            training runs, in points, (N,).
        costs (dict[str, np.ndarray]): ``flops``, ``parameters`` and the table's other
            columns of numbers, (N,) each.
        others (dict[str, np.ndarray]): The table's other columns of accuracies, such as
            those after fewer epochs, (N,) each.
    """

    space: SearchSpace
    indices: np.ndarray
    accuracy: np.ndarray
    noise: np.ndarray | None = None
    costs: dict[str, np.ndarray] = field(default_factory=dict)
    others: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of networks."""
        return len(self.accuracy)

    def rows(self, paths: list[ArchPath]) -> np.ndarray:
        """The row of each path, (N,), int64.

        Raises:
            KeyError: If a path is not in the table.
        """
        places = {row.tobytes(): i for i, row in enumerate(self.indices)}
        found = []
        for path, row in zip(paths, self.space.indices(paths), strict=True):
            if row.tobytes() not in places:
                raise KeyError(f'{self.space.architecture_text(path)!r} is not in the table')
            found.append(places[row.tobytes()])
        return np.array(found, dtype=np.int64)

    def sample(self, n: int, seed: int) -> np.ndarray:
        """Rows of N random networks: each function once, and none that is dead.

        A smaller sample with the same seed is the beginning of a larger one.

        Args:
            n (int): Number of networks N.
            seed (int): Seed of the draw.

        Returns:
            np.ndarray: Rows of the table, (N,), int64.

        Raises:
            ValueError: If the table has fewer functions.
        """
        chosen: dict[str, int] = {}
        for row in np.random.default_rng(seed).permutation(len(self)).tolist():
            if len(chosen) == n:
                break
            path = self.space.paths(self.indices[row : row + 1])[0]
            if not self.space.is_dead(path):
                chosen.setdefault(self.space.function_key(path), row)
        if len(chosen) < n:
            raise ValueError(
                f'{n} networks were requested, but the table has only {len(chosen)} that compute '
                'different functions'
            )
        return np.array(list(chosen.values()), dtype=np.int64)


def _number(place: str, text: str | None, low: float, high: float) -> float:
    try:
        value = float(text or '')
    except ValueError:
        raise ValueError(f'{place}: {text!r} is not a number') from None
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f'{place}: {text} is outside [{low:g}, {high:g}]')
    return value


def _lines(file: str | PathLike) -> Iterator[tuple[int, list[str]]]:
    with open(file, newline='', encoding='utf-8') as lines:
        reader = csv.reader(lines)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f'{file}, line {reader.line_num + 1}: {error}') from error


def _accuracy_column(file: str | PathLike, header: list[str], wanted: str | None) -> str:
    found = [name for name in header if 'accuracy' in name]
    if wanted is not None and wanted not in header:
        raise ValueError(f'{file}, line 1: there is no column {wanted!r} in {header}')
    if _ARCHITECTURE not in header or not (wanted or found):
        raise ValueError(
            f"{file}, line 1: the columns {header} must include 'architecture' and one whose name "
            "contains 'accuracy'"
        )
    if len(set(header)) < len(header):
        raise ValueError(f'{file}, line 1: a column occurs twice in {header}')
    return wanted or found[0]


def _cost_name(column: str) -> str:
    """Our name of a cost: 'flops_c16_n5' is 'flops'."""
    for start, name in (('flops', 'flops'), ('param', 'parameters')):
        if column.lower().startswith(start):
            return name
    return column


def read_truth_table(
    file: str | PathLike, space: SearchSpace, accuracy: str | None = None
) -> TruthTable:
    """Read a CSV file with one network per line.

    Its first line names the columns. ``architecture`` is a text that
    ``space.architecture`` reads. The first column whose name contains ``accuracy`` is the
    truth, in percent; others with that word are kept beside it. ``std`` is
    the standard deviation between training runs. All other columns are costs;
    without ``flops`` or ``params``, the space's closed forms fill them in.

    Args:
        file (str | PathLike): The file. The tables of NAS-Bench-201 and NAS-Bench-Macro
            have this form.
        space (SearchSpace): The space.
        accuracy (str, optional): The column of the truth. Defaults to None: the first.

    Returns:
        TruthTable: The table.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file has an error; the message has file, line and column.
    """
    lines = _lines(file)
    header = next(lines, (1, []))[1]
    truth = _accuracy_column(file, header, accuracy)
    values: dict[str, list[float]] = {name: [] for name in header if name != _ARCHITECTURE}
    paths: dict[str, ArchPath] = {}
    for number, cells in lines:
        place = f'{file}, line {number}'
        if len(cells) != len(header):
            raise ValueError(f'{place}: {len(cells)} columns, but the first line has {len(header)}')
        row = dict(zip(header, cells, strict=True))
        text = row.pop(_ARCHITECTURE)
        try:
            path = space.architecture(text)
        except ValueError as error:
            raise ValueError(f"{place}, column 'architecture': {error}") from error
        if text in paths:
            raise ValueError(f"{place}, column 'architecture': {text!r} occurs twice")
        paths[text] = path
        for name, cell in row.items():
            limit = (0.0, 100.0) if name == truth or 'accuracy' in name else (0.0, math.inf)
            values[name].append(_number(f'{place}, column {name!r}', cell, *limit))
    if not paths:
        raise ValueError(f'{file} has no networks below its first line')
    arrays = {name: np.array(column) for name, column in values.items()}
    indices = space.indices(list(paths.values()))
    others = {name: column for name, column in arrays.items() if 'accuracy' in name}
    costs = dict(flops=space.flops(indices), parameters=space.parameters(indices))
    costs.update(
        (_cost_name(name), column)
        for name, column in arrays.items()
        if name not in (truth, 'std', *others)
    )
    others.pop(truth, None)
    return TruthTable(space, indices, arrays[truth], arrays.get('std'), costs, others)
