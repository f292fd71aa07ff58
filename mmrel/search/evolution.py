"""NSGA-II whose draws depend only on the seed, the draw's number and the scores before it.

Optuna's sampler is used unchanged, but on a separate in-memory study. Finished
generations are added to it in the order of their draws, and the generator is reseeded
for every draw. Neither the order in which processes finish paths nor an interruption
changes what is drawn.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import NSGAIISampler
from optuna.study import StudyDirection as Direction
from optuna.trial import FrozenTrial, TrialState, create_trial

from mmrel.spaces import ArchPath, SearchSpace
from mmrel.utils.checks import check_count, check_within


class _GenerationSampler(NSGAIISampler):
    """NSGA-II that reads a trial's generation from its attributes instead of counting trials."""

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        return trial.user_attrs['generation']

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [trial for trial in trials if trial.user_attrs['generation'] == generation]

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        # Optuna returns them in a different order the first time.
        parents = super().get_parent_population(study, generation)
        return sorted(parents, key=lambda trial: trial.number)


class Evolution:
    """Draws children of the best scored paths.

    Args:
        space (SearchSpace): The space.
        directions (Sequence[str]): 'maximize' or 'minimize' for each objective.
        population (int): Paths per generation.
        seed (int): The seed.
        crossover_prob (float): See Optuna's ``NSGAIISampler``. Defaults to 0.9.
        swapping_prob (float): See Optuna's ``NSGAIISampler``. Defaults to 0.5.
        mutation_prob (float, optional): See Optuna's ``NSGAIISampler``. Defaults
            to None: 1 / number of choices.
        large_start (float): Fraction of large paths in the first generation
            (``large`` of :func:`.budget.draw_path`); the others are random. Defaults to 0.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        space: SearchSpace,
        directions: Sequence[str],
        population: int,
        seed: int,
        crossover_prob: float = 0.9,
        swapping_prob: float = 0.5,
        mutation_prob: float | None = None,
        large_start: float = 0.0,
    ) -> None:
        probabilities = dict(
            crossover_prob=crossover_prob, swapping_prob=swapping_prob, mutation_prob=mutation_prob
        )
        check_within('[0, 1]', 'sampler', large_start=large_start, **probabilities)
        check_count(0, 'test_cfg', seed=seed)
        self._settings: dict[str, Any] = dict(probabilities, population_size=population)
        self.seed, self._large_start = seed, large_start
        self._options: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(options) for name, options in space.choices.items()
        }
        self._study = optuna.create_study(directions=[Direction[d.upper()] for d in directions])
        self.scored = 0

    def add(self, path: ArchPath, values: Sequence[float], generation: int) -> None:
        """Add a scored path. Paths must be added in the order of their draws."""
        self._study.add_trial(
            create_trial(
                params=path,
                distributions=self._options,
                values=list(values),
                user_attrs=dict(generation=generation),
            )
        )
        self.scored += 1

    def new_trial(self, path: ArchPath, **attributes: object) -> FrozenTrial:
        """A waiting trial for a path, for a study in a storage."""
        return create_trial(
            state=TrialState.WAITING,
            params=path,
            distributions=self._options,
            user_attrs=attributes,
        )

    def generator(self, slot: int) -> np.random.Generator:
        """The random generator of a draw."""
        return np.random.default_rng([self.seed, slot])

    def starts_large(self, slot: int) -> bool:
        """Whether a slot of the first generation gets a large path; these are spread evenly."""
        return int((slot + 1) * self._large_start) > int(slot * self._large_start)

    def children(self, slot: int, generation: int) -> Iterator[ArchPath]:
        """An endless stream of candidates for a draw, bred from earlier generations.

        Args:
            slot (int): The draw's number, counted over all generations.
            generation (int): Its generation, at least 1.

        Yields:
            ArchPath: A child of two parents, or of one.
        """
        seed = np.random.SeedSequence([self.seed, slot]).generate_state(1)[0]
        sampler = _GenerationSampler(seed=int(seed), **self._settings)
        trial = create_trial(state=TrialState.WAITING, user_attrs=dict(generation=generation))
        while True:
            child = sampler.sample_relative(self._study, trial, self._options)
            # Optuna leaves out the choices to mutate.
            yield {
                name: child[name]
                if name in child
                else sampler.sample_independent(self._study, trial, name, options)
                for name, options in self._options.items()
            }
