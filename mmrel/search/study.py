"""A search as an Optuna study shared by any number of processes.

A search draws a fixed number of paths, one per slot. Slot s belongs to generation
s // population. A slot's path depends only on the seed, the slot, the scores of
earlier generations and the paths of earlier slots. Any process may therefore draw
it: one process, several processes and a resumed search all find the same paths.

Paths are written to the storage as waiting trials before they are scored. A process
claims one by setting it to running, which the storage allows only once. If two
processes write the same path, the trial with the lowest number counts.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import optuna
from mmengine.logging import print_log
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from mmrel.spaces import ArchPath, PathCost, SearchSpace

from .budget import Budget, draw_path, path_costs
from .evolution import Evolution
from .settings import check_settings, complete_sampler
from .study_rows import RowChecker
from .trials import Trials
from .worker import Watch, Worker

# Children tried for a slot before it gets a random path.
_CHILDREN = 100
_BEAT_SECONDS = 30.0
# A process on another machine that sends no heartbeat for this long has ended.
_GONE_SECONDS = 300.0
# A claim is signed within milliseconds.
_UNSIGNED_SECONDS = 10.0
_POLL_SECONDS = 0.2

_DIRECTIONS = dict(accuracy='maximize', cost='minimize')


@dataclass(frozen=True)
class Claim:
    """A path that this process has claimed for scoring.

    Attributes:
        slot (int): Its position in the search.
        generation (int): Its generation.
        path (ArchPath): The path.
        costs (dict[str, float]): Its costs by name.
        trial (FrozenTrial): Its trial in the storage.
    """

    slot: int
    generation: int
    path: ArchPath
    costs: dict[str, float]
    trial: FrozenTrial


class SearchStudy:
    """The study of one search.

    Args:
        storage (BaseStorage): From :func:`.storage.open_storage`.
        name (str): The study's name in the storage.
        space (SearchSpace): The space.
        identity (Mapping): Values that identify the search, for JSON. The space and
            the settings below are added.
        population (int): Paths per generation.
        generations (int): Number of generations.
        objectives (Sequence[str]): 'accuracy', or 'accuracy' and 'cost'.
            Defaults to ('accuracy',).
        budget (Budget, optional): The budget that every path must meet. Defaults
            to None.
        cost (PathCost, optional): The second objective. Defaults to None: the
            budget's cost.
        seed (int): Seed of the draws. Defaults to 0.
        sampler (Mapping, optional): Settings of :class:`.evolution.Evolution`. Defaults
            to None: those of :func:`.settings.complete_sampler`.
        fresh (bool): Whether to refuse an existing study. Defaults to False.

    Raises:
        ValueError: If a setting is out of range, or the study in the storage has
            another space, checkpoint or setting, or has invalid rows.
        FileExistsError: If ``fresh`` is set and the study has paths.
    """

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        space: SearchSpace,
        identity: Mapping,
        population: int,
        generations: int,
        objectives: Sequence[str] = ('accuracy',),
        budget: Budget | None = None,
        cost: PathCost | None = None,
        seed: int = 0,
        sampler: Mapping | None = None,
        fresh: bool = False,
    ) -> None:
        check_settings(population, generations, objectives, budget, cost)
        self.space, self.budget, self.objectives = space, budget, tuple(objectives)
        self.population, self.generations = population, generations
        self._cost = cost or (budget.cost if budget else None)
        self.costs = [c for c in (budget.cost if budget else None, cost) if c is not None]
        directions = [_DIRECTIONS[objective] for objective in objectives]
        self._rows = RowChecker(
            name,
            space,
            population,
            generations,
            [c.name for c in self.costs],
            len(directions),
            self._cost.name if self._cost else None,
        )
        self._storage = storage
        self._study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[StudyDirection[d.upper()] for d in directions],
            load_if_exists=True,
        )
        self._trials = Trials(self._study, storage, space, self._rows)
        if fresh and self._trials.unchecked():
            raise FileExistsError(
                f'the study {name!r} already has paths: continue with --resume, or use another '
                '--work-dir'
            )
        stored = self._trials.unchecked() and self._study.user_attrs.get('identity')
        sampler = complete_sampler(sampler, objectives, stored)
        self._evolution = Evolution(space, directions, population, seed, **sampler)
        settings = dict(
            space=space.fingerprint(),
            population=population,
            generations=generations,
            objectives=list(objectives),
            budget=str(budget) if budget else None,
            cost=self._cost.name if self._cost else None,
            seed=seed,
            sampler=sampler,
        )
        self._check_identity(name, dict(settings, **identity))
        # Reject bad rows now, not after hours of search.
        self._trials.read()
        self._rows.check_paths(self.total)
        self.worker, self._watch = Worker(), Watch()
        self._beats, self._beaten = 0, -_BEAT_SECONDS

    # --- contents of the storage ------------------------------------------

    def _check_identity(self, name: str, identity: dict) -> None:
        # A study without paths (for example, no path met the budget) may be taken over.
        if not self._trials.unchecked():
            self._study.set_user_attr('identity', identity)
            return
        # Read after the paths: the identity is written before them.
        theirs = self._rows.check_identity(self._study.user_attrs.get('identity'))
        differing = [
            f'{key}: the study has {theirs.get(key)!r}, this search has {identity.get(key)!r}'
            for key in {**theirs, **identity}
            if theirs.get(key) != identity.get(key)
        ]
        if differing:
            raise ValueError(
                f'the study {name!r} belongs to another search:\n  {"; ".join(differing)}\n'
                '  Use the same settings, or another --work-dir (in a shared storage: another '
                'test_cfg.study.name)'
            )

    @property
    def total(self) -> int:
        """Number of paths that the search scores."""
        planned = self.population * self.generations
        return self._rows.check_paths(self._study.user_attrs.get('paths', planned))

    def rows(self) -> list[dict]:
        """The scored paths in the order of their slots (:meth:`.trials.Trials.rows`)."""
        return self._trials.rows()

    # --- operations of a worker ---------------------------------------------

    def claim(self) -> Claim | None:
        """Claim a path, or wait while others score the last paths of a generation.

        Returns:
            Claim, optional: The claim, or None when all paths are scored.

        Raises:
            ValueError: If no path meets the budget.
        """
        while True:
            live, vain = self._trials.live()
            for trial in vain:
                if trial.state == TrialState.WAITING:
                    self._trials.finish(trial, TrialState.FAIL)
            total = self.total
            first = next((s for s in range(total) if not _is_scored(live.get(s))), None)
            if first is None:
                return None
            generation = first // self.population
            slots = range(
                generation * self.population, min(total, (generation + 1) * self.population)
            )
            missing = [slot for slot in slots if slot not in live]
            if missing:
                self._plan(missing[0], generation)
                continue
            waiting = [s for s in slots if live[s].state == TrialState.WAITING]
            for slot in waiting:
                claim = self._take(live[slot])
                if claim is not None:
                    return claim
            running = [live[s] for s in slots if live[s].state == TrialState.RUNNING]
            # Check every trial, so that each one's timer starts.
            gone = [trial for trial in running if self._is_gone(trial)]
            for trial in gone:
                print_log(
                    f'path {trial.user_attrs["slot"]} was not finished by its process: '
                    'scoring it again',
                    logger='current',
                )
                self._trials.finish(trial, TrialState.FAIL)
            if not gone and not waiting:
                time.sleep(_POLL_SECONDS)

    def tell(self, claim: Claim, score: float) -> bool:
        """Write a score.

        Args:
            claim (Claim): The claim, from :meth:`claim`.
            score (float): Accuracy in percent.

        Returns:
            bool: Whether the score counts. It does not count if another process
            assumed that this one had ended, and took over the path.
        """
        values = [score]
        if 'cost' in self.objectives and self._cost is not None:
            values.append(claim.costs[self._cost.name])
        return self._trials.finish(claim.trial, TrialState.COMPLETE, values)

    def release(self, claim: Claim) -> None:
        """Give back a path that was not scored."""
        self._trials.finish(claim.trial, TrialState.FAIL)

    def beat(self) -> None:
        """Send a heartbeat to other machines. Cheap to call often."""
        if time.monotonic() - self._beaten >= _BEAT_SECONDS:
            self._beaten = time.monotonic()
            self._beats += 1
            self._study.set_user_attr(f'beat:{self.worker.name}', self._beats)

    # --- internals ------------------------------------------------------------

    def _take(self, trial: FrozenTrial) -> Claim | None:
        self.beat()
        if not self._trials.finish(trial, TrialState.RUNNING):
            return None
        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(trial._trial_id, 'worker', self.worker.signature())
        attrs = trial.user_attrs
        ours = self._trials.live()[0].get(attrs['slot'])
        if ours is None or ours.number != trial.number:
            self._trials.finish(trial, TrialState.FAIL)
            return None
        path = {name: trial.params[name] for name in self.space.choices}
        return Claim(attrs['slot'], attrs['generation'], path, attrs['costs'], trial)

    def _is_gone(self, trial: FrozenTrial) -> bool:
        """Whether the process that claimed a path has ended."""
        signature = trial.user_attrs.get('worker')
        if signature is None:
            return self._watch.quiet(trial.number, None) > _UNSIGNED_SECONDS
        gone = self.worker.is_gone(signature)
        if gone is not None:
            return gone
        beat = self._study.user_attrs.get(f'beat:{signature["name"]}')
        return self._watch.quiet(trial.number, (signature['name'], beat)) > _GONE_SECONDS

    def _plan(self, slot: int, generation: int) -> None:
        """Draw the path of a slot and write it, unless another process already has."""
        live, _ = self._trials.live()
        if slot in live:
            return
        taken = {trial.user_attrs['key'] for trial in live.values()}
        # Reuse the path of an abandoned trial: its score may already be in use.
        before = [trial for trial in self._trials.read() if trial.user_attrs['slot'] == slot]
        old = [trial for trial in before if trial.user_attrs['key'] not in taken]
        path: ArchPath | None
        if old:
            path, costs = old[0].params, old[0].user_attrs['costs']
        else:
            path = self._draw(slot, generation, live, taken)
            if path is None:
                self._exhausted(slot)
                return
            costs = path_costs(self.space, path, self.costs)
        self._study.add_trial(
            self._evolution.new_trial(
                path, slot=slot, generation=generation, key=self.space.key(path), costs=costs
            )
        )

    def _draw(
        self, slot: int, generation: int, live: Mapping[int, FrozenTrial], taken: set[str]
    ) -> ArchPath | None:
        if generation > 0:
            for earlier in range(self._evolution.scored, generation * self.population):
                trial = live[earlier]
                self._evolution.add(trial.params, trial.values, trial.user_attrs['generation'])
            children = self._evolution.children(slot, generation)
            for _, child in zip(range(_CHILDREN), children, strict=False):
                if self.space.key(child) not in taken and (
                    self.budget is None or self.budget.allows(self.space, child)
                ):
                    return child
        generator, large = self._evolution.generator(slot), self._evolution.starts_large(slot)
        return draw_path(self.space, self.budget, generator, taken, generation == 0 and large)

    @property
    def _limits(self) -> str:
        if self.budget is None:
            return ''
        return f' in {self.budget.max_draws:,} draws within the budget (test_cfg.budget.max_draws)'

    def _exhausted(self, slot: int) -> None:
        self._study.set_user_attr('paths', slot)
        print_log(
            f'no new path was found{self._limits}: the search '
            f'ends after {slot} instead of {self.population * self.generations} paths',
            logger='current',
            level=30,
        )


def studies_with_paths(storage: BaseStorage) -> list[str]:
    """Names of the studies in a storage that have paths."""
    summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
    return [summary.study_name for summary in summaries if summary.n_trials]


def _is_scored(trial: FrozenTrial | None) -> bool:
    return trial is not None and trial.state == TrialState.COMPLETE
