"""mmengine's Runner, with the checks that mmrel's commands promise."""

from typing import Any

import mmengine.runner
from mmengine.runner import BaseLoop
from torch import nn

from .distributed import leave_processes
from .due_validation import DueValidation
from .hooks.equal_buffers_hook import EqualBuffersHook
from .hooks.stop_hook import StopHook
from .loaders import build_dataloader
from .mid_epoch import MidEpochHook, MidEpochTrainLoop
from .open_gradients import OpenGradients
from .signals import StopSignals, TrainingStopped, saying_where_to_go_on


class Runner(DueValidation, OpenGradients, mmengine.runner.Runner):
    """The Runner that :func:`mmrel.apis.build_runner` builds from a config.

    Args: as mmengine's.
    """

    build_dataloader = staticmethod(build_dataloader)

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the config's hooks, and those that no config can drop."""
        super().register_hooks(*args, **kwargs)
        self._signals, self._equal_buffers = StopSignals(), EqualBuffersHook()
        timeout = self.cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
        for hook in (self._equal_buffers, MidEpochHook(), StopHook(self._signals, timeout)):
            self.register_hook(hook)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop; one by epochs can start inside an epoch."""
        if isinstance(loop, dict) and 'type' not in loop and loop.get('by_epoch'):
            loop = {k: v for k, v in loop.items() if k != 'by_epoch'} | dict(type=MidEpochTrainLoop)
        return super().build_train_loop(loop)

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """As mmengine's; every rank must call it, the first one writes."""
        self._equal_buffers.make_equal(self)
        super().save_checkpoint(*args, **kwargs)

    def train(self) -> nn.Module:
        """Train; a signal ends it with a checkpoint."""
        try:
            with self._signals, saying_where_to_go_on(self):
                return super().train()
        except TrainingStopped:
            leave_processes()
            raise
