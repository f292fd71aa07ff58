"""Which trial of a study counts for a slot, and the rows of the scored ones."""

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from mmrel.search.budget import path_costs
from mmrel.search.evolution import Evolution
from mmrel.search.study_rows import RowChecker
from mmrel.search.trials import Trials
from mmrel.spaces import ArchPath
from tests.search.toy import PlainSpace


class _Study:
    """A study in memory, of two generations of three paths."""

    def __init__(self) -> None:
        self.space = PlainSpace()
        self.storage = optuna.storages.InMemoryStorage()
        self.study = optuna.create_study(storage=self.storage, directions=['maximize'])
        self.evolution = Evolution(self.space, ['maximize'], 3, 0)
        checker = RowChecker('s', self.space, 3, 2, [], 1)
        self.trials = Trials(self.study, self.storage, self.space, checker)

    def path(self, width: int) -> ArchPath:
        return dict(second='yes', **{f'width{i}': width for i in range(6)})

    def write(self, slot: int, width: int, score: float | None = None) -> FrozenTrial:
        """Add the trial of a slot, and score it."""
        path = self.path(width)
        attributes = dict(key=self.space.key(path), costs=path_costs(self.space, path))
        self.study.add_trial(
            self.evolution.new_trial(path, slot=slot, generation=slot // 3, **attributes)
        )
        trial = self.study.get_trials()[-1]
        if score is not None:
            assert self.trials.finish(trial, TrialState.RUNNING)
            assert self.trials.finish(trial, TrialState.COMPLETE, [score])
        return trial


def test_the_first_trial_of_a_slot_or_of_a_path_counts() -> None:
    study = _Study()
    given_up = study.write(0, 1)
    study.trials.finish(given_up, TrialState.FAIL)
    study.study.add_trial(optuna.create_trial(value=1.0))  # of another program, without a slot
    for slot, width in ((0, 2), (1, 3), (0, 4), (2, 3), (2, 1)):
        study.write(slot, width)
    live, vain = study.trials.live()
    assert {slot: trial.params['width0'] for slot, trial in live.items()} == {0: 2, 1: 3, 2: 1}
    assert [trial.params['width0'] for trial in vain] == [4, 3]
    assert len(study.trials.unchecked()) == 6


def test_rows_are_the_scored_paths_in_the_order_of_their_slots() -> None:
    study = _Study()
    study.write(4, 5, 50.0)
    study.write(1, 2, 75.0)
    study.write(0, 3)
    path = study.path(2)
    first, second = study.trials.rows()
    assert first == dict(
        slot=1, generation=0, score=75.0, flops=120, parameters=24, key=study.space.key(path),
        path=path,
    )  # fmt: skip
    assert list(first['path']) == list(study.space.choices)
    assert (second['slot'], second['generation'], second['flops']) == (4, 1, 300)


def test_a_trial_is_ended_and_claimed_only_once() -> None:
    study = _Study()
    trial = study.write(0, 1)
    assert study.trials.finish(trial, TrialState.RUNNING)
    assert not study.trials.finish(trial, TrialState.RUNNING), 'another process has claimed it'
    assert study.trials.finish(trial, TrialState.COMPLETE, [1.0])
    assert not study.trials.finish(trial, TrialState.COMPLETE, [2.0])
    assert study.trials.rows()[0]['score'] == 1.0


def test_a_trial_of_another_search_is_refused_when_it_is_read() -> None:
    study = _Study()
    study.write(6, 1)  # the search has six slots
    for read in (study.trials.read, study.trials.live, study.trials.rows):
        with pytest.raises(ValueError, match='slot=6, which must be a whole number from 0 to 5'):
            read()
