"""NSGA-II whose draws follow from the seed, the draw's number and the scores before it.

Optuna's sampler is used as it is; but it is asked in a study of our own in memory, to
which finished generations are added in the order of their draws, and its generator
starts anew for every draw. So neither the order in which processes finish paths nor
an interruption changes what is drawn.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import NSGAIISampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from .space import Path, SearchSpace


class _GenerationSampler(NSGAIISampler):
    """NSGA-II that reads a trial's generation from its attributes, never counts it."""

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        return trial.user_attrs['generation']

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [trial for trial in trials if trial.user_attrs['generation'] == generation]

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        # Optuna returns them in another order at the first time than later.
        parents = super().get_parent_population(study, generation)
        return sorted(parents, key=lambda trial: trial.number)


class Evolution:
    """Draws children of the best scored paths.

    Args:
        space (SearchSpace): The space.
        directions (Sequence[str]): 'maximize' or 'minimize' of every objective.
        population (int): Paths of a generation.
        seed (int): The seed.
        crossover_prob (float): As Optuna's ``NSGAIISampler``. Defaults to 0.9.
        swapping_prob (float): As Optuna's. Defaults to 0.5.
        mutation_prob (float, optional): As Optuna's. Defaults to None: one over
            the number of choices.

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
    ) -> None:
        probabilities = dict(
            crossover_prob=crossover_prob, swapping_prob=swapping_prob, mutation_prob=mutation_prob
        )
        for name, value in probabilities.items():
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f'sampler.{name}={value} must be from 0 to 1')
        if seed < 0:
            raise ValueError(f'test_cfg.seed={seed} must not be negative')
        self._settings = dict(probabilities, population_size=population)
        self.seed = seed
        self._options = {
            name: CategoricalDistribution(options) for name, options in space.choices.items()
        }
        self._study = optuna.create_study(directions=list(directions))
        self.scored = 0

    def add(self, path: Path, values: Sequence[float], generation: int) -> None:
        """Add a scored path; those of earlier draws come first."""
        self._study.add_trial(
            create_trial(
                params=path,
                distributions=self._options,
                values=list(values),
                user_attrs=dict(generation=generation),
            )
        )
        self.scored += 1

    def new_trial(self, path: Path, **attributes: object) -> FrozenTrial:
        """A trial of a path that waits for its score, for a study in a storage."""
        return create_trial(
            state=TrialState.WAITING,
            params=path,
            distributions=self._options,
            user_attrs=attributes,
        )

    def generator(self, slot: int) -> np.random.Generator:
        """The source of a draw's random numbers."""
        return np.random.default_rng([self.seed, slot])

    def children(self, slot: int, generation: int) -> Iterator[Path]:
        """Endless candidates of a draw, of the generations before it.

        Args:
            slot (int): The draw's number, over all generations.
            generation (int): Its generation, 1 at least.

        Yields:
            Path: A child of two parents, or of one.
        """
        seed = np.random.SeedSequence([self.seed, slot]).generate_state(1)[0]
        sampler = _GenerationSampler(seed=int(seed), **self._settings)
        trial = create_trial(state=TrialState.WAITING, user_attrs=dict(generation=generation))
        while True:
            child = sampler.sample_relative(self._study, trial, self._options)
            # What is missing is to be mutated.
            yield {
                name: child[name]
                if name in child
                else sampler.sample_independent(self._study, trial, name, options)
                for name, options in self._options.items()
            }
