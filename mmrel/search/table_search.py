"""Searches in a table of truth, where scoring a network costs nothing."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import TrialState
from scipy.stats import rankdata

from mmrel.spaces import ArchPath, SearchSpace
from mmrel.utils.checks import check_count

from .budget import Budget
from .study import SearchStudy
from .truth_table import TruthTable

_TRIES = 1000


class TableCost:
    """A cost that is a column of a table; infinite for networks that it lacks.

    Args:
        table (TruthTable): The table.
        column (str): The cost's name there.

    Raises:
        KeyError: If the table lacks the column.
    """

    def __init__(self, table: TruthTable, column: str = 'flops') -> None:
        if column not in table.costs:
            raise KeyError(f'the table has the costs {list(table.costs)}, not {column!r}')
        self.name = column
        self._costs = {
            row.tobytes(): cost
            for row, cost in zip(table.indices, table.costs[column].tolist(), strict=True)
        }

    def __call__(self, space: SearchSpace, indices: np.ndarray) -> np.ndarray:
        """Costs of N paths, (N,), float64."""
        rows = np.asarray(indices, dtype=np.int64)
        return np.array([self._costs.get(row.tobytes(), np.inf) for row in rows])


class TableSearch:
    """Searches that see a score for each network, and are judged by its true accuracy.

    Every search evaluates N different networks within the budget. Networks that
    differ only in entries that they do not use count as one.

    Args:
        table (TruthTable): The table.
        number (int): Number of networks N that a search evaluates.
        scores (Mapping[str, float], optional): What a search sees, by the networks' keys
            (``space.key``), the higher the better. Networks without a score are out of
            reach. Defaults to None: the true accuracy.
        cost (str): The budget's cost, a column of the table. Defaults to 'flops'.
        max_cost (float, optional): The budget. Defaults to None: no limit.
        population (int): Networks per generation of NSGA-II, and alive in the
            regularized evolution. Defaults to 20.

    Raises:
        ValueError: If fewer than N networks are within the budget.
        KeyError: If the table lacks the cost.
    """

    def __init__(
        self,
        table: TruthTable,
        number: int,
        scores: Mapping[str, float] | None = None,
        cost: str = 'flops',
        max_cost: float | None = None,
        population: int = 20,
    ) -> None:
        check_count(2, '', population=population, number=number)
        self.space, self.number, self.population = table.space, number, population
        column = TableCost(table, cost).name
        limit = float(table.costs[column].max()) if max_cost is None else max_cost
        self._truth: dict[str, float] = {}
        self._costs: dict[str, float] = {}
        self._paths: dict[str, ArchPath] = {}
        kept = []
        for row, path in enumerate(table.space.paths(table.indices)):
            key = table.space.key(path)
            inside = table.costs[column][row] <= limit and (scores is None or key in scores)
            if inside:
                kept.append(row)
            if inside and key not in self._truth:
                self._truth[key] = float(table.accuracy[row])
                self._costs[key] = float(table.costs[column][row])
                self._paths[key] = path
        if len(self._truth) < number:
            raise ValueError(
                f'{number} networks are to be evaluated, but only {len(self._truth)} different '
                f'ones are within {column} <= {limit:g}'
            )
        self._scores = dict(scores) if scores is not None else self._truth
        rows = np.array(kept)
        reachable = TruthTable(
            table.space,
            table.indices[rows],
            table.accuracy[rows],
            None,
            {column: table.costs[column][rows]},
        )
        self.budget = Budget(dict(type=TableCost, table=reachable, column=column), max=limit)
        self.best = max(self._truth.values())

    @property
    def methods(self) -> dict[str, Callable[[int], list[str]]]:
        """The searches by name; each maps a seed to the keys in the order of evaluation."""
        return {
            'random': self.random,
            f'most {self.budget.cost.name}': self.costliest,
            'NSGA-II': self.nsga2,
            'NSGA-II, random start': partial(self.nsga2, large_start=0),
            'regularized evolution': self.regularized_evolution,
            'TPE': self.tpe,
        }

    def curve(self, keys: list[str]) -> list[float]:
        """True accuracy of the network with the best score so far, after each evaluation."""
        best, found = keys[0], []
        for key in keys:
            if self._scores[key] > self._scores[best]:
                best = key
            found.append(self._truth[best])
        return found

    def random(self, seed: int) -> list[str]:
        """Random networks."""
        return self._shuffled(seed)[: self.number]

    def _shuffled(self, seed: int) -> list[str]:
        keys = list(self._truth)
        return [keys[i] for i in np.random.default_rng(seed).permutation(len(keys))]

    def costliest(self, seed: int) -> list[str]:
        """The networks with the highest cost within the budget; equal ones in random order."""
        keys = self._shuffled(seed)
        return sorted(keys, key=lambda key: -self._costs[key])[: self.number]

    def nsga2(self, seed: int, **sampler: float) -> list[str]:
        """The search of :class:`.SearchStudy` for accuracy, with its ``sampler``."""
        generations = -(-self.number // self.population)
        study = SearchStudy(
            optuna.storages.InMemoryStorage(), 'table', self.space, {}, self.population,
            generations, budget=self.budget, seed=seed, sampler=sampler,
        )  # fmt: skip
        # A study takes percentages, and only their order matters.
        ranks = rankdata([self._scores[key] for key in self._truth])
        percent = dict(zip(self._truth, (100 * ranks / len(ranks)).tolist(), strict=True))
        keys: list[str] = []
        while len(keys) < self.number and (claim := study.claim()) is not None:
            keys.append(self.space.key(claim.path))
            study.tell(claim, percent[keys[-1]])
        return keys

    def _draw(self, generator: np.random.Generator, taken: Mapping[str, Any]) -> str:
        """A random network that was not evaluated."""
        left = [key for key in self._truth if key not in taken]
        return left[generator.integers(len(left))]

    def regularized_evolution(self, seed: int, tournament: int = 5) -> list[str]:
        """Aging evolution: the oldest dies, the best of a few mutates in one choice.

        Source: arXiv:1802.01548.
        """
        generator = np.random.default_rng(seed)
        keys = self.random(seed)[: self.population]
        alive, taken = deque(keys, maxlen=self.population), dict.fromkeys(keys)
        names = list(self.space.choices)
        while len(taken) < self.number:
            found = None
            for _ in range(_TRIES):
                drawn = generator.choice(len(alive), min(tournament, len(alive)), replace=False)
                parent = max((alive[i] for i in drawn), key=self._scores.__getitem__)
                name = names[generator.integers(len(names))]
                options = self.space.choices[name]
                child = dict(self._paths[parent])
                child[name] = options[generator.integers(len(options))]
                key = self.space.key(child)
                if key in self._truth and key not in taken:
                    found = key
                    break
            found = found or self._draw(generator, taken)
            alive.append(found)
            taken[found] = None
        return list(taken)

    def tpe(self, seed: int) -> list[str]:
        """Optuna's tree-structured Parzen estimator, with random networks at its start.

        Networks out of the budget, or evaluated before, are told as failed.
        """
        options: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(choices) for name, choices in self.space.choices.items()
        }
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.population)
        study = optuna.create_study(sampler=sampler, direction='maximize')
        generator, taken = np.random.default_rng(seed), dict[str, None]()
        while len(taken) < self.number:
            for _ in range(20):
                trial = study.ask(options)
                key = self.space.key(trial.params)
                if key in self._truth and key not in taken:
                    study.tell(trial, self._scores[key])
                    break
                study.tell(trial, state=TrialState.FAIL)
            else:
                key = self._draw(generator, taken)
                study.add_trial(
                    optuna.trial.create_trial(
                        params=self._paths[key], distributions=options, value=self._scores[key]
                    )
                )
            taken[key] = None
        return list(taken)
