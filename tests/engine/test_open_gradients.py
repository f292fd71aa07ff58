"""Accumulated gradients survive an interruption."""

from pathlib import Path

import pytest
import torch

from mmrel.utils import load_checkpoint_file
from tests.engine.toy_runner import BATCHES, toy_runner


def _wrapper() -> dict:
    return dict(optimizer=dict(type='SGD', lr=0.125, momentum=0.9), accumulative_counts=2)


@pytest.mark.parametrize('by_iter', [False, True])
def test_an_open_accumulation(tmp_path: Path, by_iter: bool) -> None:
    keep = dict(checkpoint=dict(max_keep_ckpts=-1))
    length = 3 * BATCHES if by_iter else 3
    arguments = dict(by_iter=by_iter, length=length, val_interval=99, hooks=keep)
    toy_runner(tmp_path / 'whole', optim_wrapper=_wrapper(), **arguments).train()
    name = f'iter_{BATCHES}.pth' if by_iter else 'epoch_1.pth'
    first = tmp_path / 'whole' / name
    # Three steps, two of them in the first update.
    assert load_checkpoint_file(first)['gradients']['weight'].abs().item() > 0
    resumed = toy_runner(
        tmp_path / 'resumed',
        optim_wrapper=_wrapper(),
        resume=True,
        load_from=str(first),
        **arguments,
    )
    resumed.train()
    last = f'iter_{length}.pth' if by_iter else f'epoch_{length}.pth'
    ours, theirs = (load_checkpoint_file(tmp_path / f / last) for f in ('resumed', 'whole'))
    assert torch.equal(ours['state_dict']['weight'], theirs['state_dict']['weight'])
    # The run's last step always updates.
    assert 'gradients' not in theirs


def test_without_accumulation_nothing_is_kept(tmp_path: Path) -> None:
    toy_runner(tmp_path, length=1, val_interval=99).train()
    assert 'gradients' not in load_checkpoint_file(tmp_path / 'epoch_1.pth')
