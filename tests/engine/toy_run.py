"""A run of milliseconds on mmrel's Runner, for tests of schedules and resumes."""

import itertools
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmrel.engine.runner import Runner

_names = itertools.count()


class ToySet(Dataset):
    """Numbered points on a line."""

    def __init__(self, size: int = 24) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        x = torch.tensor([float(index), 1.0]) / self.size
        return dict(x=x, index=torch.tensor(int(index)))


class ToyModel(BaseModel):
    """Two linear layers, which an optimizer may put in separate groups."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = nn.Linear(2, 3), nn.Linear(3, 1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)

    def forward(self, x: Tensor, index: Tensor, mode: str = 'tensor') -> dict[str, Tensor]:
        return dict(loss=self.second(self.first(x).tanh()).square().mean())


class Watch(Hook):
    """Records rates and images of each iteration; may end the run like a kill."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop, self.rates, self.images = stop, [], []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        wrapper = runner.optim_wrapper
        self.rates.append([group['lr'] for group in wrapper.optimizer.param_groups])
        self.images.append(data_batch['index'].tolist())

    def after_train_epoch(self, runner: Runner) -> None:
        if self.stop == runner.epoch + 1:
            runner.train_loop.stop_training = True


def toy_runner(work_dir: Path, watch: Watch | None = None, **changes: Any) -> Runner:
    """A run of 4 epochs with 6 iterations of 4 points each.

    Args:
        work_dir (Path): Its folder.
        watch (Watch, optional): Defaults to None: none.
        **changes: Changes of the config's sections; a dict is merged.

    Returns:
        Runner: Not started; its checkpoints are ``epoch_N.pth``.
    """
    cfg = dict(
        default_scope='mmrel',
        train_dataloader=dict(
            dataset=ToySet(),
            batch_size=4,
            num_workers=0,
            drop_last=True,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='EpochSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=4),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4)),
        param_scheduler=[dict(type='CosineAnnealingLR', convert_to_iter_based=True)],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=100),
            checkpoint=dict(type='CheckpointHook', interval=1),
        ),
        randomness=dict(seed=3),
        log_level='INFO',
    )
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(cfg.get(key), dict)
        merged = {**cfg[key], **value} if both else value
        cfg[key] = merged
    cfg['train_cfg'] = {k: v for k, v in cfg['train_cfg'].items() if v is not None}
    hooks = [] if watch is None else [watch]
    return Runner(
        ToyModel(),
        str(work_dir),
        custom_hooks=hooks + cfg.pop('custom_hooks', []),
        experiment_name=f'toy-{next(_names)}',
        cfg=dict(
            model_wrapper_cfg=dict(type='mmrel.AnyDeviceDataParallel'),
            **{key: cfg[key] for key in ('param_scheduler', 'train_cfg')},
        ),
        **cfg,
    )
