"""Make up for validations lost to an interruption.

A checkpoint is written before the validation that belongs to it. If a run is killed in
between, it resumes from that checkpoint, and mmengine would skip the validation.
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
from mmrel.utils.mixin import Mixin

# File in the work dir that lists completed validations, by epoch or by iteration.
_FILE = 'validated.json'


class DueValidationHook(Hook):
    """Validate at the start of a resumed run if a due validation was not completed.

    :class:`mmrel.engine.runner.Runner` registers it; configs do not list it. A
    validation is complete when all hooks have received its metrics, so ``save_best``
    catches up as well. The training that follows is unaffected: the random generators
    are restored.
    """

    # A validation counts as complete only after the hooks that write its results.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._done: list[int] | None = None

    def before_run(self, runner: Runner) -> None:
        """Make iteration-based runs log each validation at its iteration.

        By default mmengine logs them all at epoch 0.
        """
        self._done = None
        if isinstance(runner._train_loop, IterBasedTrainLoop):
            runner.log_processor.by_epoch = False
            for hook in runner.hooks:
                if isinstance(hook, LoggerHook):
                    hook.log_metric_by_epoch = False

    def before_train(self, runner: Runner) -> None:
        """Run the validation that was due at the checkpoint."""
        done = self._load(runner)
        position = _position(runner)
        if not position or position in done or not _is_due(runner):
            return
        runner.logger.info(
            f'the validation after {position} {_unit(runner)} is missing: running it now'
        )
        with kept_generators():
            runner.val_loop.run()

    def after_val(self, runner: Runner) -> None:
        """Record a validation as complete."""
        if not isinstance(runner._train_loop, mmengine.runner.BaseLoop):
            return  # nothing is trained
        done = self._load(runner)
        if _position(runner) not in done:
            done.append(_position(runner))
            _write(runner.work_dir, done)

    def _load(self, runner: Runner) -> list[int]:
        """Read the validations that earlier starts of this run completed, once for all ranks."""
        if self._done is not None:
            return self._done
        position = _position(runner)
        done = [_read(runner.work_dir) if position and is_main_process() else []]
        broadcast_object_list(done)
        # Everything after the checkpoint is trained again.
        self._done = [step for step in done[0] if step <= position]
        _write(runner.work_dir, self._done)
        return self._done


class DueValidation(Mixin):
    """Runner mixin that registers a :class:`DueValidationHook`."""

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
    """Whether the train loop validates at the run's current position."""
    loop = runner.train_loop
    # Inside an epoch the last validation was before this epoch's steps.
    if runner.val_loop is None or getattr(loop, 'batches_done', False):
        return False
    if not hasattr(loop, '_decide_current_val_interval'):
        return False  # the user's own loop
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
