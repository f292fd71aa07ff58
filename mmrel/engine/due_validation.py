"""No validation is lost to an interruption.

A checkpoint is written before the validation that belongs to it. A run that is killed
in between goes on from that checkpoint, and nothing would run the validation again.
"""

import json
import os
from typing import Any

import mmengine.runner
from mmengine.dist import broadcast_object_list, is_main_process, master_only
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmrel.datasets.seeding import kept_generators
from mmrel.utils.files import write_atomically

# In the work dir: where validations are complete, in epochs or, by iteration, iterations.
_FILE = 'validated.json'


class DueValidationHook(Hook):
    """Validate at the start of a resumed run if that was due and is not complete.

    :class:`mmrel.engine.runner.Runner` registers it; configs do not list it. A
    validation is complete when all hooks have had its metrics, so ``save_best`` is
    made up for as well. It changes nothing of the training that follows: the
    generators are put back.
    """

    # A validation counts after the hooks that write its results.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._done: list[int] | None = None

    def before_run(self, runner: Runner) -> None:
        """Let a run by iteration log its validations at their iteration.

        mmengine logs them all at epoch 0 unless a config says otherwise.
        """
        self._done = None
        if isinstance(runner._train_loop, IterBasedTrainLoop):
            runner.log_processor.by_epoch = False
            for hook in runner.hooks:
                if isinstance(hook, LoggerHook):
                    hook.log_metric_by_epoch = False

    def before_train(self, runner: Runner) -> None:
        """Run the validation that the checkpoint's run owed."""
        self._load(runner)
        position = _position(runner)
        if not position or position in self._done or not _is_due(runner):
            return
        runner.logger.info(f'the validation after {position} {_unit(runner)} is missing: it runs')
        with kept_generators():
            runner.val_loop.run()

    def after_val(self, runner: Runner) -> None:
        """Note a validation as complete."""
        if not isinstance(runner._train_loop, mmengine.runner.BaseLoop):
            return  # without training
        self._load(runner)
        if _position(runner) not in self._done:
            self._done.append(_position(runner))
            _write(runner.work_dir, self._done)

    def _load(self, runner: Runner) -> None:
        """Read what earlier starts of this run have validated, once, alike on all ranks."""
        if self._done is not None:
            return
        position = _position(runner)
        done = [_read(runner.work_dir) if position and is_main_process() else []]
        broadcast_object_list(done)
        # What came after the checkpoint is trained again.
        self._done = [step for step in done[0] if step <= position]
        _write(runner.work_dir, self._done)


class DueValidation:
    """A part of the Runner: it has a :class:`DueValidationHook`."""

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the config's hooks and this one."""
        super().register_hooks(*args, **kwargs)
        self.register_hook(DueValidationHook())


def _position(runner: Runner) -> int:
    by_iter = isinstance(runner.train_loop, IterBasedTrainLoop)
    return runner.iter if by_iter else runner.epoch


def _unit(runner: Runner) -> str:
    return 'iterations' if isinstance(runner.train_loop, IterBasedTrainLoop) else 'epochs'


def _is_due(runner: Runner) -> bool:
    """Whether the train loop validates where the run is now."""
    loop = runner.train_loop
    # Inside an epoch the last validation came before this epoch's steps.
    if runner.val_loop is None or getattr(loop, 'batches_done', 0):
        return False
    if not hasattr(loop, '_decide_current_val_interval'):
        return False  # a loop of a user's own
    loop._decide_current_val_interval()
    position = _position(runner)
    last = loop.max_iters if isinstance(loop, IterBasedTrainLoop) else loop.max_epochs
    return position >= loop.val_begin and (position % loop.val_interval == 0 or position == last)


def _read(work_dir: str) -> list[int]:
    try:
        with open(os.path.join(work_dir, _FILE)) as file:
            steps = json.load(file)
    except (OSError, ValueError):
        return []  # validating twice does no harm
    return [step for step in steps if isinstance(step, int)] if isinstance(steps, list) else []


@master_only
def _write(work_dir: str, steps: list[int]) -> None:
    write_atomically(json.dumps(steps).encode(), os.path.join(work_dir, _FILE))
