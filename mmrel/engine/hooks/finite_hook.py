"""Stop a run with non-finite losses or weights, and keep its good checkpoints."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook, LoggerHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor

from mmrel.engine.distributed import unwrap
from mmrel.registry import HOOKS

from .checkpoint_hook import CheckpointHook, last_checkpoint


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stop a run that has diverged, on all processes together.

    Losses (and ``grad_norm``, if logged) are checked whenever the ``LoggerHook``
    writes a line: by then they are on the host, so the check does not synchronize
    with the device. Weights, buffers and optimizer states are checked before a
    checkpoint is written. A checkpoint with NaN or infinite values is not written,
    and no older one is removed for it. With a loss scaler ``grad_norm`` is not
    checked, because steps with overflowing gradients are skipped anyway.

    Args:
        patience (int): Number of consecutive log lines with non-finite values to
            tolerate. Defaults to 0: the first one stops the run. It does not
            apply to weights, which do not recover.

    Raises:
        ValueError: If ``patience`` is negative or not an integer.
    """

    # After the line is logged, before a checkpoint is written.
    priority = 'LOW'

    def __init__(self, patience: int = 0) -> None:
        if not isinstance(patience, int) or patience < 0:
            raise ValueError(
                f'FiniteHook.patience={patience!r} must be an integer of at least 0: the number of '
                'consecutive log lines with non-finite values to tolerate'
            )
        self.patience = patience
        self.interval = 50
        self._tolerated = 0

    def before_train(self, runner: Runner) -> None:
        """Check as often as the logger writes."""
        for hook in runner.hooks:
            if isinstance(hook, LoggerHook):
                self.interval = hook.interval
        self._tolerated = 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Check this step's values if the logger writes a line.

        Raises:
            RuntimeError: On all ranks, if a value is not finite on any rank.
        """
        if not (
            self.every_n_inner_iters(batch_idx, self.interval)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
            or self.is_last_train_iter(runner)
        ):
            return
        bad = _logged(runner)
        if not _on_any_rank(bool(bad)):
            self._tolerated = 0
            return
        self._tolerated += 1
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook):
                hook.doubtful = True
        what = ', '.join(f'{name}={value}' for name, value in bad.items())
        what = what or 'the loss of another process is not finite'
        if self._tolerated > self.patience:
            raise RuntimeError(_message(runner, what, runner.iter + 1))
        runner.logger.warning(
            f'iteration {runner.iter + 1}: {what} ({self._tolerated} of {self.patience} '
            'consecutive log lines that FiniteHook.patience tolerates)'
        )

    def before_saving(self, runner: Runner) -> None:
        """Refuse to save non-finite values. mmrel's Runner calls this on every rank.

        Raises:
            RuntimeError: On all ranks, if a weight, buffer or optimizer state is
                not finite on any rank.
        """
        bad = not_finite(
            dict(
                state_dict=unwrap(runner.model).state_dict(),
                optimizer=runner.optim_wrapper.state_dict(),
            )
        )
        if not _on_any_rank(bool(bad)):
            return
        what = f'{bad[0]} has non-finite values' if bad else 'another process diverged'
        if len(bad) > 1:
            what += f', and {len(bad) - 1} more tensors'
        raise RuntimeError(_message(runner, what, runner.iter))


def not_finite(content: Any) -> list[str]:
    """Names of the tensors in nested dicts and lists with NaN or infinite values."""
    tensors = [(name, value) for name, value in _tensors(content) if value.is_floating_point()]
    if not tensors:
        return []
    # Synchronize once per device, not once per tensor.
    flags = [value.isfinite().all().float() for _, value in tensors]
    finite = torch.stack([flag.to(flags[0].device) for flag in flags]).tolist()
    return [name for (name, _), flag in zip(tensors, finite, strict=True) if not flag]


def _logged(runner: Runner) -> dict[str, float]:
    """The latest logged values that are non-finite, by name."""
    wrappers = runner.optim_wrapper
    wrappers = wrappers.values() if isinstance(wrappers, OptimWrapperDict) else [wrappers]
    scaled = any(hasattr(wrapper, 'loss_scaler') for wrapper in wrappers)
    found = {}
    for key, history in runner.message_hub.log_scalars.items():
        mode, _, name = key.partition('/')
        watched = 'loss' in name or ('grad_norm' in name and not scaled)
        if mode == 'train' and watched and not math.isfinite(history.current()):
            found[name] = history.current()
    return found


def _on_any_rank(flag: bool) -> bool:
    """Whether the flag is set on any rank, so that all ranks stop together."""
    if not is_distributed():
        return flag
    raised = torch.tensor(float(flag))
    all_reduce(raised, 'max')
    return bool(raised)


def _tensors(content: Any, name: str = '') -> Iterator[tuple[str, Tensor]]:
    """The tensors of nested dicts and lists, with their keys."""
    if isinstance(content, Tensor):
        yield name, content
    elif isinstance(content, Mapping | list | tuple):
        items = content.items() if isinstance(content, Mapping) else enumerate(content)
        for key, value in items:
            yield from _tensors(value, f'{name}.{key}'.removeprefix('.'))


def _message(runner: Runner, what: str, iteration: int) -> str:
    info = runner.message_hub.log_scalars
    rates = [
        f'{key.removeprefix("train/")}={history.current():.4g}'
        for key, history in info.items()
        if key.startswith('train/') and key.endswith('lr') and 'base_lr' not in key
    ]
    last = last_checkpoint(runner.work_dir)
    good = f'the last good checkpoint is {last!r}' if last else 'no good checkpoint was written'
    return (
        f'training diverged at iteration {iteration} ({", ".join(rates)}): {what}; '
        f'{good}. Lower optim_wrapper.optimizer.lr, lengthen the warm-up or set '
        'optim_wrapper.clip_grad'
    )
