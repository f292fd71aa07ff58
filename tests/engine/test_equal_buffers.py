"""Ranks validate and save the same network."""

import json
import os
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import nn

from mmrel.engine.equal_buffers import make_buffers_equal, split_buffers
from mmrel.models.layers import StackedLayer
from mmrel.models.memories import FeatureQueue
from tests.commands import TINY, call, run
from tests.distributed import free_port, run_ranks


class _Model(nn.Module):
    def __init__(self, rank: int) -> None:
        super().__init__()
        self.norm, self.paths = nn.BatchNorm2d(2), StackedLayer(2, nn.BatchNorm2d(3))
        self.memory = FeatureQueue(4, 3)
        self.register_buffer('own', torch.tensor(rank), persistent=False)
        for norm in (self.norm, self.paths):
            norm.running_mean.fill_(1.0 + 2 * rank)
            norm.running_var.fill_(4.0 * rank)
            norm.num_batches_tracked.fill_(7)
        self.memory.pointer.fill_(3)
        self.memory.queue.copy_(torch.arange(12.0).view(3, 4))


def _equalised(rank: int) -> dict:
    model = _Model(rank)
    if rank == 1:
        model.memory.queue.add_(1)  # unequal by accident: the checkpoint's value counts
    make_buffers_equal(model)
    return dict(model.state_dict(), own=model.own)


def test_two_ranks() -> None:
    states = run_ranks(_equalised, 2)
    assert [int(state.pop('own')) for state in states] == [0, 1]
    first, second = states
    assert all(torch.equal(first[key], second[key]) for key in first)
    for name in ('norm', 'paths'):
        assert (first[f'{name}.running_mean'] == 2).all()
        assert (first[f'{name}.running_var'] == 2).all()
        assert first[f'{name}.num_batches_tracked'] == 7
    assert first['memory.pointer'] == 3
    assert torch.equal(first['memory.queue'], torch.arange(12.0).view(3, 4))


def test_only_running_statistics_are_averaged() -> None:
    statistics, others = split_buffers(_Model(0))
    assert [len(part) for part in statistics] == [2, 2, 3, 3]
    assert len(others) == 4  # two counts, queue and pointer; `own` is not in checkpoints


@pytest.mark.slow
def test_what_is_logged_is_what_the_checkpoint_gives(images: Path, tmp_path: Path) -> None:
    # The classes look alike, so the votes depend on small feature differences.
    for i, image in enumerate(sorted(images.rglob('*.*'))):
        place = tmp_path / ('train', 'val')[i // 3 % 2] / f'class{i % 3}'
        place.mkdir(parents=True, exist_ok=True)
        (place / f'{i}{image.suffix}').symlink_to(image)
    data = [
        '--cfg-options',
        f'train_dataloader.dataset.data_root={tmp_path / "train"}',
        f'val_dataloader.dataset.data_root={tmp_path / "val"}',
    ]
    arguments = [*data, 'train_cfg.max_epochs=2', 'train_cfg.val_interval=1']
    arguments += ['train_dataloader.batch_size=4', 'default_hooks.checkpoint.save_best=knn3/top1']
    with mock.patch.dict(os.environ, PORT=str(free_port())):
        run('dist_train.sh', TINY, 2, '--work-dir', tmp_path, *arguments)
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    logged = [
        {key: value for key, value in row.items() if key.startswith('knn')}
        for row in rows
        if 'knn3/top1' in row
    ]
    assert len(logged) == 3  # the first is the untrained network's
    assert all(row['knn3/top1'] < 90 for row in logged)
    (best,) = tmp_path.glob('best_*.pth')
    highest = max(logged, key=lambda row: row['knn3/top1'])
    for name, expected in (('epoch_1.pth', logged[1]), ('epoch_2.pth', logged[2]), (best, highest)):
        out = tmp_path / 'metrics.json'
        call('test.py', TINY, tmp_path / name, '--work-dir', tmp_path / 'test', '--out', out,
             *data)  # fmt: skip
        assert json.loads(out.read_text()) == expected
