"""Runner mixin for signals, hanging ranks, and leftovers of killed processes."""

from typing import Any

from mmengine.runner import BaseLoop
from torch import nn

from mmrel.utils.leftovers import remove_partial_files
from mmrel.utils.mixin import Mixin

from .distributed import leave_processes
from .heartbeat import Heartbeat
from .hooks.equal_buffers_hook import EqualBuffersHook
from .hooks.stop_hook import StopHook
from .loaders import build_dataloader, end_workers
from .mid_epoch import MidEpochHook, MidEpochTrainLoop
from .signals import StopSignals, TrainingStopped, saying_where_to_go_on


class Interruptible(Mixin):
    """Runner mixin: a run may end at any time and resumes where it stopped."""

    build_dataloader = staticmethod(build_dataloader)

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the config's hooks, and those that a config cannot drop."""
        super().register_hooks(*args, **kwargs)
        self._signals, self._equal_buffers = StopSignals(), EqualBuffersHook()
        timeout = ((self.cfg.get('env_cfg') or {}).get('dist_cfg') or {}).get('timeout')
        self._heartbeat = Heartbeat(self._iteration, timeout)
        for hook in (self._equal_buffers, MidEpochHook(), StopHook(self._signals, timeout)):
            self.register_hook(hook)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop; an epoch-based one can start inside an epoch."""
        if isinstance(loop, dict) and 'type' not in loop and loop.get('by_epoch'):
            loop = {k: v for k, v in loop.items() if k != 'by_epoch'} | dict(type=MidEpochTrainLoop)
        return super().build_train_loop(loop)

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Save a checkpoint. Every rank must call it; rank 0 writes."""
        self._equal_buffers.make_equal(self)
        super().save_checkpoint(*args, **kwargs)

    def train(self) -> nn.Module:
        """Train. A signal ends the run with a checkpoint."""
        self._tidy()
        try:
            with self._signals, saying_where_to_go_on(self), self._heartbeat:
                return super().train()
        except TrainingStopped:
            leave_processes()
            raise
        finally:
            end_workers()

    def val(self) -> dict:
        """Validate."""
        try:
            return super().val()
        finally:
            end_workers()

    def test(self) -> dict:
        """Test. A hanging rank ends the run."""
        self._tidy()
        try:
            with self._heartbeat:
                return super().test()
        finally:
            end_workers()

    def _tidy(self) -> None:
        if self.rank == 0 and (removed := remove_partial_files(self.work_dir)):
            self.logger.info(f'removed files left by a killed process: {", ".join(removed)}')

    def _iteration(self) -> int:
        return getattr(self._train_loop, 'iter', 0)
