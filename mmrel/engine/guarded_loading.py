"""Checks that a Runner always runs on a checkpoint, regardless of the config's hooks."""

import os
from typing import Any

import mmengine.hooks
from mmengine.hooks import Hook

from mmrel.utils.checkpoint_content import file_name
from mmrel.utils.mixin import Mixin
from mmrel.utils.safe_loading import use_safe_loading
from mmrel.utils.state_dict import check_finite, weights_of

_POINTER = 'last_checkpoint'
_HUB = ('log_scalars', 'runtime_info', 'resumed_keys')


def read_pointer(work_dir: str) -> str | None:
    """The checkpoint that a work dir's ``last_checkpoint`` names.

    Returns:
        str, optional: Its path; None if there is no such file.

    Raises:
        RuntimeError: If the file does not contain the path of a local file.
    """
    pointer = os.path.join(work_dir, _POINTER)
    remedy = 'name the checkpoint with --resume FILE'
    if not os.path.lexists(pointer):
        return None
    try:
        with open(pointer, 'rb') as file:
            text = file.read(5000).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is not text'
        raise RuntimeError(f'{pointer!r} cannot be read: {reason}; {remedy}') from None
    if not text or len(text) > 4096 or not text.isprintable() or '://' in text:
        raise RuntimeError(
            f'{pointer!r} does not contain the path of a file: {text[:60]!r}; {remedy}'
        )
    return text


class _GuardHook(Hook):
    """Check every checkpoint that a Runner reads, before any of it is used."""

    # Before the other hooks, which also read the checkpoint.
    priority = 'HIGHEST'

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        check_finite(weights_of(checkpoint, 'the checkpoint'), 'the checkpoint')
        if runner.resuming:
            _check_position(runner, checkpoint)


def _check_position(runner: Any, checkpoint: dict) -> None:
    meta, hub = checkpoint.get('meta') or {}, checkpoint.get('message_hub') or {}
    lacking = [f'meta.{key}' for key in ('epoch', 'iter') if key not in meta]
    lacking += [f'message_hub.{key}' for key in _HUB if key not in hub]
    if lacking:
        raise RuntimeError(
            f'the checkpoint has no {lacking[0]}, so it cannot be resumed: start a new run from '
            'its weights (load_from without --resume)'
        )
    loop = runner.train_loop
    epochs, iters = getattr(loop, '_max_epochs', None), getattr(loop, '_max_iters', None)
    by_epoch = isinstance(epochs, int) and epochs > 1
    if by_epoch and meta['epoch'] > epochs:
        raise RuntimeError(
            f'the checkpoint is from epoch {meta["epoch"]}, but this run ends after {epochs}: set '
            f'train_cfg.max_epochs above {meta["epoch"]}, or use an earlier checkpoint'
        )
    # Iteration counts are not comparable across batch sizes; `run` records the batch size.
    if not by_epoch and 'run' not in meta and isinstance(iters, int) and meta['iter'] > iters:
        raise RuntimeError(
            f'the checkpoint is from iteration {meta["iter"]}, but this run ends after {iters}: '
            f'set train_cfg.max_iters above {meta["iter"]}, or use an earlier checkpoint'
        )


class GuardedLoading(Mixin):
    """Runner mixin that checks every checkpoint before the Runner uses it.

    Attributes:
        resuming (bool): Whether a checkpoint is being read to resume from it.
    """

    resuming = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        use_safe_loading()
        super().__init__(*args, **kwargs)

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the config's hooks and the guard."""
        super().register_hooks(*args, **kwargs)
        self.register_hook(_GuardHook())

    def load_or_resume(self) -> None:
        """Load or resume, and reject a broken ``last_checkpoint``.

        Raises:
            RuntimeError: See :func:`read_pointer`.
        """
        if self._resume and self._load_from is None and not self._has_loaded:
            read_pointer(self.work_dir)
        super().load_or_resume()

    def resume(self, *args: Any, **kwargs: Any) -> None:
        """Resume from a checkpoint, with its paths redirected to this run's folder.

        Raises:
            RuntimeError: If the checkpoint does not fit this run.
        """
        self.resuming = True
        try:
            super().resume(*args, **kwargs)
        finally:
            self.resuming = False
        self._keep_inside()

    def _keep_inside(self) -> None:
        """Keep paths inside the run's folder: mmengine deletes the previous best checkpoint."""
        folder = self.work_dir
        for hook in self.hooks:
            if isinstance(hook, mmengine.hooks.CheckpointHook) and hook.out_dir:
                name = os.path.basename(self.work_dir.rstrip(os.sep))
                folder = os.path.join(hook.out_dir, name)
        info = self.message_hub.runtime_info
        for key in [k for k in info if k == 'last_ckpt' or k.startswith('best_ckpt')]:
            name = file_name(info[key])
            if name and key != 'last_ckpt' and not name.startswith('best_'):
                name = None
            self.message_hub.update_info(key, os.path.join(folder, name) if name else None)
