"""Evaluate the untrained network."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrel.registry import HOOKS


@HOOKS.register_module()
class InitialValHook(Hook):
    """Validate once before the first step, as the starting point of the curves.

    It does nothing on a resumed run or without a val loop.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        """Run the val loop if the run is at its start."""
        if runner.iter == 0 and runner.val_loop is not None:
            runner.val_loop.run()
