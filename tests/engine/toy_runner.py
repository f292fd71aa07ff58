"""A Runner that trains two numbers, for tests of hooks and loops."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import DataLoader

import mmrel.engine  # noqa: F401
from mmrel.engine.runner import Runner

BATCHES = 3
_starts = itertools.count()


class ToyModel(BaseModel):
    """Its loss: ``weight`` times the input and a random number, plus ``disturb(model, step)``."""

    def __init__(self, disturb: Callable | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.unused = nn.Parameter(torch.ones(1), requires_grad=False)
        self.register_buffer('step', torch.zeros((), dtype=torch.long))
        self.disturb = disturb

    def forward(self, inputs: Tensor, mode: str = 'tensor') -> dict | list:
        if mode != 'loss':
            return [self.weight.item()] * len(inputs)
        self.step += 1
        loss = (self.weight * (inputs + torch.rand(1))).sum()
        if self.disturb is not None:
            extra = self.disturb(self, int(self.step))
            loss = loss if extra is None else loss + extra
        return dict(loss_toy=loss)


class ToyMetric(BaseMetric):
    """The weight, in percent; ``interrupt(value)`` may raise."""

    def __init__(self, interrupt: Callable | None = None) -> None:
        super().__init__()
        self.interrupt = interrupt

    def process(self, data_batch: Any, data_samples: list) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list) -> dict:
        if self.interrupt is not None:
            self.interrupt()
        return dict(score=100 - 100 * results[0])


class _Runner(Runner):
    def setup_env(self, env_cfg: dict) -> None:
        super().setup_env(env_cfg)
        # Starts within one second would share a log folder.
        self._timestamp = f'20260101_{next(_starts):06}'


def toy_runner(
    work_dir: Path,
    disturb: Callable | None = None,
    interrupt: Callable | None = None,
    by_iter: bool = False,
    hooks: dict | None = None,
    length: int = 4,
    val_interval: int = 2,
    **kwargs: Any,
) -> Runner:
    """Runs of ``length`` epochs of three steps, or of ``length`` iterations."""
    train_cfg = dict(by_epoch=not by_iter, val_interval=val_interval)
    train_cfg['max_iters' if by_iter else 'max_epochs'] = length
    checkpoint = dict(type='CheckpointHook', interval=1, max_keep_ckpts=1, by_epoch=not by_iter)
    default_hooks = dict(
        logger=dict(type='LoggerHook', interval=1),
        step_seed=dict(type='StepSeedHook'),
        finite=dict(type='FiniteHook'),
    )
    for name, settings in (hooks or {}).items():
        if name == 'checkpoint':
            checkpoint.update(settings)
        else:
            default_hooks[name] = settings
    # mmengine's iteration-based loop waits two seconds at the end of a dataset.
    batches = [dict(inputs=torch.tensor([i / 8])) for i in range(99 if by_iter else BATCHES)]
    optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.125))
    return _Runner(
        ToyModel(disturb),
        str(work_dir),
        train_dataloader=DataLoader(batches),
        val_dataloader=DataLoader(batches[:1]),
        train_cfg=train_cfg,
        val_cfg=dict(),
        val_evaluator=[ToyMetric(interrupt)],
        optim_wrapper=kwargs.pop('optim_wrapper', optim_wrapper),
        default_hooks=dict(default_hooks, checkpoint=checkpoint),
        randomness=dict(seed=0),
        experiment_name=f'toy{next(_starts)}',
        default_scope='mmrel',
        log_level='WARNING',
        **kwargs,
    )
