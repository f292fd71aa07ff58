"""After a signal: which step is the last, what is saved, and what points to it."""

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from mmrel.engine.hooks.stop_hook import INTERRUPTED, StopHook
from mmrel.engine.signals import TrainingStopped


class _Runner:
    epoch, iter, rank = 2, 14, 0

    def __init__(self, work_dir: Path, counts: int = 1) -> None:
        optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
        self.work_dir, self.saved, self.said = str(work_dir), [], []
        self.optim_wrapper: Any = OptimWrapper(optimizer, accumulative_counts=counts)
        self.logger = SimpleNamespace(warning=self.said.append)

    def save_checkpoint(self, out_dir: str, filename: str, meta: dict, **_: Any) -> None:
        self.saved.append((out_dir, filename, meta))


def _hook(received: int = 0) -> StopHook:
    return StopHook(SimpleNamespace(received=received))


def test_the_step_of_the_signal_is_saved_and_named(tmp_path: Path) -> None:
    hook, runner = _hook(), _Runner(tmp_path)
    hook.before_train(runner)
    hook.after_train_iter(runner, 0)
    assert runner.saved == []
    hook.signals.received = signal.SIGUSR1
    with pytest.raises(TrainingStopped) as stopped:
        hook.after_train_iter(runner, 0)
    # Counted as done: it is not repeated.
    assert runner.saved == [(str(tmp_path), INTERRUPTED, dict(epoch=2, iter=15))]
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / INTERRUPTED)
    assert stopped.value.code == 128 + signal.SIGUSR1
    assert runner.said == [
        f'SIGUSR1: stopped after iteration 15, saved {tmp_path / INTERRUPTED}; continue with '
        '--resume'
    ]


@pytest.mark.parametrize('several', [False, True])
def test_an_accumulation_is_completed_first(tmp_path: Path, several: bool) -> None:
    hook, runner = _hook(signal.SIGTERM), _Runner(tmp_path, counts=3)
    accumulating = runner.optim_wrapper
    if several:  # all must have made their step
        runner.optim_wrapper = OptimWrapperDict(a=_Runner(tmp_path).optim_wrapper, b=accumulating)
    for done in (1, 2):
        accumulating._inner_count = done
        hook.after_train_iter(runner, 0)
    accumulating._inner_count = 3
    with pytest.raises(TrainingStopped):
        hook.after_train_iter(runner, 0)


def test_a_signal_in_a_validation_repeats_no_step(tmp_path: Path) -> None:
    hook, runner = _hook(), _Runner(tmp_path)
    hook.after_val_iter(runner, 0)
    hook.signals.received = signal.SIGTERM
    with pytest.raises(TrainingStopped, match='SIGTERM: stopped after iteration 14'):
        hook.after_val_iter(runner, 0)
    assert runner.saved == [(str(tmp_path), INTERRUPTED, dict(epoch=2, iter=14))]


def test_only_the_first_rank_points_to_the_checkpoint(tmp_path: Path) -> None:
    hook, runner = _hook(signal.SIGTERM), _Runner(tmp_path)
    runner.rank = 1
    with pytest.raises(TrainingStopped):
        hook.after_train_iter(runner, 0)
    assert len(runner.saved) == 1  # all ranks save: buffers are made equal
    assert not (tmp_path / 'last_checkpoint').exists()
