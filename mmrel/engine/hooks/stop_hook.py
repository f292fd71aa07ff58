"""Stop a run on a signal without losing a step."""

import os
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from mmrel.engine.signals import StopSignals, TrainingStopped
from mmrel.utils.files import write_atomically

from .checkpoint_hook import _ATOMIC

INTERRUPTED = 'interrupted.pth'


class StopHook(Hook):
    """Save a checkpoint and end the run after a signal.

    All ranks stop after the same step, no matter which rank got the signal: in each
    step they exchange one number in the background, on the CPU, and read it in the
    next step. With gradient accumulation they stop after a complete optimizer step.
    :class:`mmrel.engine.Runner` registers it; configs do not list it.

    Args:
        signals (StopSignals): The signals that this process received.
        timeout (float, optional): Seconds that ranks wait for each other.
            Defaults to None: torch's default.
    """

    # After all other hooks, so that the state is the one before the next step.
    priority = 'LOWEST'

    def __init__(self, signals: StopSignals, timeout: float | None = None) -> None:
        self.signals, self.timeout = signals, timeout
        self._group: Any = None
        self._asked: tuple[dist.Work, torch.Tensor] | None = None
        self._stop_by = 0

    def before_train(self, runner: Runner) -> None:
        """Create the process group for the exchange."""
        if get_world_size() > 1:
            limit = None if self.timeout is None else timedelta(seconds=self.timeout)
            self._group = dist.new_group(backend='gloo', timeout=limit)

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        """Stop if a signal was received and the optimizer step is complete."""
        self._stop_by = self._stop_by or self._agreed()
        if self._stop_by and _window_is_complete(runner):
            self._stop(runner, dict(epoch=runner.epoch, iter=runner.iter + 1))

    def after_val_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        """Stop inside a validation if this is the only process."""
        if self.signals.received and get_world_size() == 1:
            self._stop_by = self.signals.received
            self._stop(runner, dict(epoch=runner.epoch, iter=runner.iter))

    def after_train(self, runner: Runner) -> None:
        """Finish the last exchange."""
        if self._asked is not None:
            self._asked[0].wait()
            self._asked = None

    def _agreed(self) -> int:
        """The signal that any rank had received by the last step, or 0."""
        if self._group is None:
            return self.signals.received
        number = 0
        if self._asked is not None:
            self._asked[0].wait()
            number = int(self._asked[1])
        asked = torch.tensor(self.signals.received)
        work = dist.all_reduce(asked, dist.ReduceOp.MAX, self._group, async_op=True)
        self._asked = work, asked
        return number

    def _stop(self, runner: Runner, meta: dict) -> None:
        step = meta['iter']
        path = os.path.join(runner.work_dir, INTERRUPTED)
        runner.save_checkpoint(
            runner.work_dir,
            INTERRUPTED,
            meta=meta,
            by_epoch=False,
            backend_args=dict(backend=_ATOMIC),
        )
        if runner.rank == 0:
            write_atomically(path.encode(), os.path.join(runner.work_dir, 'last_checkpoint'))
        self.after_train(runner)
        if self._group is not None:
            # A launcher kills the other ranks when the first one ends.
            dist.barrier(self._group)
        stopped = TrainingStopped(self._stop_by, step, path)
        runner.logger.warning(str(stopped))
        raise stopped


def _window_is_complete(runner: Runner) -> bool:
    wrapper: Any = runner.optim_wrapper
    wrappers = (
        wrapper.optim_wrappers.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    )
    return all(one.should_update() for one in wrappers)
