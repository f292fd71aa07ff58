"""Make sure that validation and checkpoints use the same network."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrel.engine.distributed import unwrap
from mmrel.engine.equal_buffers import make_buffers_equal


class EqualBuffersHook(Hook):
    """Make the buffers equal on all ranks before anything reads the model.

    This happens before the hooks at an epoch's end (which may extract features),
    a validation and a checkpoint, if there was a step since the last time.
    :class:`mmrel.engine.Runner` registers it; configs do not list it.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._stepped = False

    def make_equal(self, runner: Runner) -> None:
        """Make the buffers equal; every rank must call it.

        Args:
            runner (Runner): The runner.
        """
        if self._stepped:
            make_buffers_equal(unwrap(runner.model))
            self._stepped = False

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        """Record that the ranks' buffers may differ."""
        self._stepped = True

    def after_train_epoch(self, runner: Runner) -> None:
        """Make them equal before other hooks, including the checkpoint hook."""
        self.make_equal(runner)

    def before_val(self, runner: Runner) -> None:
        """Make them equal before a validation."""
        self.make_equal(runner)
