"""The trials of a study that hold a search's paths."""

from collections.abc import Sequence

from optuna import Study
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from mmrel.spaces import SearchSpace

from .study_rows import RowChecker


class Trials:
    """Reads and ends the trials of a study.

    Args:
        study (Study): The study.
        storage (BaseStorage): Its storage.
        space (SearchSpace): The space of the paths.
        checker (RowChecker): Checks each trial that is read.
    """

    def __init__(
        self, study: Study, storage: BaseStorage, space: SearchSpace, checker: RowChecker
    ) -> None:
        self._study, self._storage, self._space, self._checker = study, storage, space, checker

    def unchecked(self) -> list[FrozenTrial]:
        """The trials with a slot."""
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if 'slot' in trial.user_attrs]

    def read(self) -> list[FrozenTrial]:
        """The trials with a slot, checked, in the order in which they were written."""
        trials = self.unchecked()
        for trial in trials:
            self._checker.check(trial)
        return trials

    def live(self) -> tuple[dict[int, FrozenTrial], list[FrozenTrial]]:
        """The trial that counts for each slot, and redundant trials."""
        live, vain, keys = {}, [], set()
        for trial in self.read():
            if trial.state in (TrialState.FAIL, TrialState.PRUNED):
                continue
            slot, key = trial.user_attrs['slot'], trial.user_attrs['key']
            if slot in live or key in keys:
                vain.append(trial)
            else:
                live[slot] = trial
                keys.add(key)
        return live, vain

    def rows(self) -> list[dict]:
        """The scored paths in the order of their slots, for JSON.

        Each row has slot, generation, score, the costs by name, key and path.
        """
        live, _ = self.live()
        rows = []
        for slot in sorted(live):
            trial = live[slot]
            if trial.state != TrialState.COMPLETE:
                continue
            attrs = trial.user_attrs
            rows.append(
                dict(
                    slot=slot,
                    generation=attrs['generation'],
                    score=trial.values[0],
                    **attrs['costs'],
                    key=attrs['key'],
                    path={name: trial.params[name] for name in self._space.choices},
                )
            )
        return rows

    def finish(
        self, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Set a trial's state. Return whether that is still possible."""
        try:
            return self._storage.set_trial_state_values(trial._trial_id, state, values)
        except UpdateFinishedTrialError:
            return False
