"""Check the rows of a study, because other programs may write to its storage."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from optuna.trial import FrozenTrial, TrialState

from mmrel.spaces import SearchSpace

from .budget import path_costs


def _is_count(value: Any, below: int) -> bool:
    return type(value) is int and 0 <= value < below


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


class RowChecker:
    """Check each trial of a study once against its search.

    Args:
        name (str): The study's name, for messages.
        space (SearchSpace): The search's space.
        population (int): Paths per generation.
        generations (int): Number of generations.
        costs (Sequence[str]): Names of costs other than FLOPs and parameters.
        objectives (int): Number of values of a scored path.
        cost (str, optional): Name of the cost that is the second value. Defaults to None.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        population: int,
        generations: int,
        costs: Sequence[str],
        objectives: int,
        cost: str | None = None,
    ) -> None:
        self._name, self._space, self._population = name, space, population
        self.planned = population * generations
        self._costs = {'flops', 'parameters', *costs}
        self._objectives, self._cost = objectives, cost
        self._sound: dict[int, tuple[TrialState, Any]] = {}

    def check(self, trial: FrozenTrial) -> None:
        """Check one trial of a slot.

        Raises:
            ValueError: If it is invalid. The message has the trial, the entry, its
                value and the expected value.
        """
        state = trial.state, trial.user_attrs.get('worker')
        known = self._sound.get(trial.number)
        if known is None:
            self._check_path(trial)
        if known != state:
            self._check_worker(trial)
            if trial.state == TrialState.COMPLETE:
                self._check_values(trial)
            self._sound[trial.number] = state

    def check_paths(self, value: Any) -> int:
        """Check the number of paths after which a search ends early.

        Raises:
            ValueError: If it is not a possible number of paths in this search.
        """
        if not _is_count(value, self.planned + 1):
            self._refuse(
                'its end record', 'paths', value, f'a whole number from 0 to {self.planned}'
            )
        return value

    def check_identity(self, value: Any) -> Mapping:
        """Check the identity of a study with paths.

        Raises:
            ValueError: If there is none, so that the origin of the paths is unknown.
        """
        if not isinstance(value, dict):
            self._refuse('its header', 'identity', value, 'the settings of the search')
        return value

    def _refuse(self, row: str, key: str, value: Any, must: str) -> NoReturn:
        text = repr(value)
        text = text if len(text) <= 60 else text[:57] + '...'
        raise ValueError(
            f'the study {self._name!r} was not written by a search like this one: {row} has '
            f'{key}={text}, which must be {must}; use another --work-dir or test_cfg.study.name'
        )

    def _check_path(self, trial: FrozenTrial) -> None:
        row, attrs = f'trial {trial.number}', trial.user_attrs
        slot = attrs['slot']
        if not _is_count(slot, self.planned):
            self._refuse(row, 'slot', slot, f'a whole number from 0 to {self.planned - 1}')
        generation = attrs.get('generation')
        if type(generation) is not int or generation != slot // self._population:
            self._refuse(row, 'generation', generation, str(slot // self._population))
        try:
            self._space.validate(trial.params)
        except ValueError as error:
            self._refuse(row, 'path', trial.params, f'a path of the space ({error})')
        key = self._space.key(trial.params)
        if attrs.get('key') != key:
            self._refuse(row, 'key', attrs.get('key'), repr(key))
        costs = attrs.get('costs')
        if not isinstance(costs, dict) or set(costs) != self._costs:
            self._refuse(row, 'costs', costs, f'a dict with {sorted(self._costs)}')
        for name, cost in costs.items():
            if not _is_number(cost) or cost < 0:
                self._refuse(row, f'costs.{name}', cost, 'a non-negative number')
        # Other costs are measured and differ between machines.
        for name, cost in path_costs(self._space, trial.params).items():
            if costs[name] != cost:
                self._refuse(row, f'costs.{name}', costs[name], f'{cost}')

    def _check_values(self, trial: FrozenTrial) -> None:
        row, values = f'trial {trial.number}', trial.values
        if not isinstance(values, list) or len(values) != self._objectives:
            self._refuse(row, 'values', values, f'{self._objectives} numbers')
        if not _is_number(values[0]) or not 0 <= values[0] <= 100:
            self._refuse(row, 'score', values[0], 'a percentage from 0 to 100')
        if self._objectives > 1 and values[1] != trial.user_attrs['costs'][self._cost]:
            wanted = trial.user_attrs['costs'][self._cost]
            self._refuse(row, 'second value', values[1], f'its {self._cost}, {wanted}')

    def _check_worker(self, trial: FrozenTrial) -> None:
        worker = trial.user_attrs.get('worker')
        if worker is None:
            return
        kinds: dict[str, Any] = dict(name=str, machine=str, pid=int, start=str | None)
        if not isinstance(worker, dict) or not all(
            key in worker and isinstance(worker[key], kind) for key, kind in kinds.items()
        ):
            self._refuse(f'trial {trial.number}', 'worker', worker, 'the signature of a process')
