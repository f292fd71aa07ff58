"""What surrounds a run that may end at any time: loops, buffers, workers, leftovers."""

import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmrel.engine import interruptible
from mmrel.engine.interruptible import Interruptible
from mmrel.engine.mid_epoch import MidEpochTrainLoop
from mmrel.engine.signals import TrainingStopped


class _Base:
    """What the mixin uses of mmengine's Runner; records the order of events."""

    rank, iter, _train_loop = 0, 7, None

    def __init__(self, work_dir: Path) -> None:
        self.work_dir, self.events, self.error = str(work_dir), [], None
        self.logger = SimpleNamespace(info=self.events.append, warning=self.events.append)
        self._signals = self._heartbeat = nullcontext()
        self._equal_buffers = SimpleNamespace(make_equal=lambda runner: self.events.append('equal'))

    def build_train_loop(self, loop: Any) -> Any:
        return loop

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.events.append(('save', args, kwargs))

    def _run(self) -> str:
        self.events.append('run')
        if self.error is not None:
            raise self.error
        return 'done'

    train = val = test = _run


class _Runner(Interruptible, _Base):
    pass


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Runner:
    runner = _Runner(tmp_path)
    for name in ('end_workers', 'leave_processes'):
        monkeypatch.setattr(interruptible, name, lambda name=name: runner.events.append(name))
    return runner


@pytest.mark.parametrize(
    ('loop', 'expected'),
    [
        (dict(by_epoch=True, max_epochs=3), dict(type=MidEpochTrainLoop, max_epochs=3)),
        (dict(by_epoch=False, max_iters=3), None),
        (dict(type='EpochBasedTrainLoop', max_epochs=3), None),
        (dict(type='MyLoop', by_epoch=True), None),
        (object(), None),
    ],
)
def test_only_a_loop_by_epochs_without_a_type_is_ours(
    runner: _Runner, loop: Any, expected: dict | None
) -> None:
    before = dict(loop) if isinstance(loop, dict) else loop
    assert runner.build_train_loop(loop) == (before if expected is None else expected)
    assert loop == before


def test_buffers_are_equal_before_a_checkpoint(runner: _Runner) -> None:
    runner.save_checkpoint('folder', 'x.pth', meta={})
    assert runner.events == ['equal', ('save', ('folder', 'x.pth'), dict(meta={}))]


@pytest.mark.parametrize('what', ['train', 'val', 'test'])
@pytest.mark.parametrize('error', [None, ValueError('odd')])
def test_workers_end_with_a_run_however_it_ends(
    runner: _Runner, what: str, error: Exception | None
) -> None:
    runner.error = error
    if error is None:
        assert getattr(runner, what)() == 'done'
    else:
        with pytest.raises(ValueError, match='odd'):
            getattr(runner, what)()
    assert runner.events == ['run', 'end_workers']


def test_a_stopped_training_leaves_the_group_of_processes(runner: _Runner) -> None:
    """The other ranks may have ended already."""
    runner.error = TrainingStopped(15, 7, 'x.pth')
    with pytest.raises(TrainingStopped):
        runner.train()
    assert runner.events == ['run', 'leave_processes', 'end_workers']


@pytest.mark.parametrize(('rank', 'what'), [(0, 'train'), (0, 'test'), (1, 'train'), (0, 'val')])
def test_the_first_rank_removes_what_killed_processes_left(
    runner: _Runner, rank: int, what: str
) -> None:
    left = Path(runner.work_dir) / 'epoch_1.pth.partial'
    left.write_bytes(b'half')
    os.utime(left, (0, 0))  # so old that no process writes it
    runner.rank = rank
    getattr(runner, what)()
    removes = rank == 0 and what != 'val'  # a validation is a part of a training
    assert left.exists() is not removes
    said = ['removed files left by a killed process: epoch_1.pth.partial'] if removes else []
    assert runner.events == [*said, 'run', 'end_workers']
