"""Checkpoints that are either complete or not written at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mmengine.hooks
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.runner import Runner

from mmrel.registry import HOOKS
from mmrel.utils.files import write_atomically

_ATOMIC = 'mmrel_atomic_local'


@register_backend(_ATOMIC, force=True)
class _AtomicLocalBackend(LocalBackend):
    def put(self, obj: bytes | memoryview, filepath: str) -> None:
        write_atomically(bytes(obj), filepath)


class _RemoveLater:
    """A storage backend that delays removals until the new file is written."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.waiting: list[tuple[Any, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.waiting.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        self.waiting.append((self._backend.rmtree, path))


def last_checkpoint(work_dir: str) -> str | None:
    """The last checkpoint that was written completely.

    Args:
        work_dir (str): The run's work dir.

    Returns:
        str, optional: Its path, or None.
    """
    try:
        with open(os.path.join(work_dir, 'last_checkpoint')) as file:
            return file.read().strip() or None
    except OSError:
        return None


@HOOKS.register_module()
class CheckpointHook(mmengine.hooks.CheckpointHook):
    """mmengine's ``CheckpointHook`` that never loses the last good checkpoint.

    A file gets its final name only when it is complete, and an old one
    (``max_keep_ckpts``, ``save_best``) is removed only after that. A full disk
    or an unwritable folder stops the run with one error that names the folder
    and the checkpoint to resume from.

    Args: same as mmengine's.

    Attributes:
        doubtful (bool): Whether there was a non-finite loss since the last
            checkpoint. ``FiniteHook`` sets it.
    """

    doubtful = False
    backend_args: dict | None
    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Prepare, and make local writes atomic."""
        super().before_train(runner)
        self.doubtful = False
        if self.backend_args is None and isinstance(self.file_backend, LocalBackend):
            self.backend_args = dict(backend=_ATOMIC)

    @contextmanager
    def _careful(self, runner: Runner) -> Iterator[None]:
        last_good = getattr(self, '_last_good', None) or last_checkpoint(runner.work_dir)
        backend, self.file_backend = self.file_backend, _RemoveLater(self.file_backend)
        try:
            yield
            # Keep all older checkpoints after a non-finite loss.
            if not self.doubtful:
                for remove, path in self.file_backend.waiting:
                    remove(path)
            self.doubtful = False
        except OSError as error:
            remedy = (
                f'the last good checkpoint is {last_good!r}: fix this and run again with --resume'
                if last_good
                else 'there is no earlier checkpoint'
            )
            raise RuntimeError(
                f'a checkpoint could not be written to {self.out_dir!r} ({error}); {remedy}'
            ) from error
        finally:
            self.file_backend = backend

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        # Replaces mmengine's version, which removes the old file first and
        # truncates `last_checkpoint` before writing it.
        name = self.filename_tmpl.format(step)
        with self._careful(runner):
            outdated = self._keep(runner, step)
            self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
            runner.message_hub.update_info('last_ckpt', self.last_ckpt)
            runner.save_checkpoint(
                self.out_dir,
                name,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if not is_main_process():
                return
            pointer = os.path.join(runner.work_dir, 'last_checkpoint')
            write_atomically(self.last_ckpt.encode(), pointer)
            self._last_good = self.last_ckpt
            if outdated and self.file_backend.isfile(outdated):
                self.file_backend.remove(outdated)

    def _keep(self, runner: Runner, step: int) -> str | None:
        """Record a step as kept. Returns the file that is now surplus, if any."""
        if self.max_keep_ckpts <= 0 or step in self.keep_ckpt_ids:
            return None
        outdated = None
        if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
            oldest = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
            outdated = self.file_backend.join_path(self.out_dir, oldest)
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        return outdated

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        with self._careful(runner):
            super()._save_best_checkpoint(runner, metrics)
