"""A run that is stopped inside an epoch resumes as if nothing had happened."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Sampler, SequentialSampler

from mmrel.apis import build_runner, load_config
from mmrel.datasets import EpochSampler
from mmrel.engine.hooks.stop_hook import INTERRUPTED
from mmrel.engine.mid_epoch import _batches_done, remaining_batches
from mmrel.engine.signals import TrainingStopped
from mmrel.utils import load_checkpoint_file
from tests.commands import TINY, TINY_SIMMATCH, TINY_SIMMATCH_ITER, call


@pytest.fixture(scope='module')
def labels(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list with 4 labels of each of 3 classes."""
    path = tmp_path_factory.mktemp('lists') / '4pc.txt'
    data = [f'train_dataloader.dataset.labeled.data_root={images}']
    tool = 'dataset_converters/make_label_split.py'
    call(tool, TINY_SIMMATCH, '--per-class', 4, '--out', path, '--cfg-options', *data)
    return path


def _config(file: Path, images: Path, work_dir: Path, **changes: object) -> Config:
    options = {'train_dataloader.num_workers': 0, 'default_hooks.logger.interval': 1}
    for part in ('.labeled', '.unlabeled') if 'simmatch' in file.name else ('',):
        options[f'train_dataloader.dataset{part}.data_root'] = str(images)
    options['val_dataloader.dataset.data_root'] = str(images)
    return load_config(str(file), options | changes, str(work_dir))


def _train(cfg: Config, stop_after: int = 0, number: int = signal.SIGTERM) -> dict:
    """Train, with a signal to this process in a step. Returns each iteration's losses."""
    runner = build_runner(cfg)
    losses = {}
    step = runner.train_loop.run_iter

    def run_iter(*args: object) -> None:
        iteration = runner.iter + 1
        if iteration == stop_after:
            os.kill(os.getpid(), number)
        try:
            step(*args)
        finally:
            losses[iteration] = runner.message_hub.get_scalar('train/loss').current()

    runner.train_loop.run_iter = run_iter
    if not stop_after:
        runner.train()
        return losses
    with pytest.raises(TrainingStopped, match=rf'iteration {stop_after}, .*--resume') as stopped:
        runner.train()
    assert stopped.value.code == 128 + number
    return losses


def _equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def _records(work_dir: Path) -> list[dict]:
    """The logged values of each iteration and validation, without times."""
    lines = [
        json.loads(line)
        for log in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in log.read_text().splitlines()
    ]
    return [{k: v for k, v in line.items() if not k.endswith('time')} for line in lines]


@pytest.mark.parametrize(
    ('file', 'stop_after'),
    # Inside an epoch of 6 steps, after an epoch's last step; inside the pass of an endless sampler.
    [
        (TINY, 3),
        pytest.param(TINY, 12, marks=pytest.mark.slow),
        pytest.param(TINY_SIMMATCH, 5, marks=pytest.mark.slow),
        pytest.param(TINY_SIMMATCH_ITER, 3, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_goes_on_exactly(
    file: Path, stop_after: int, images: Path, labels: Path, tmp_path: Path
) -> None:
    changes = {'train_cfg.max_epochs': 2, 'train_cfg.val_interval': 2}
    if file is TINY_SIMMATCH_ITER:
        changes = {}
    if 'simmatch' in file.name:
        changes['train_dataloader.dataset.labeled.label_split'] = str(labels)
    unbroken, stopped = tmp_path / 'unbroken', tmp_path / 'stopped'
    # mmengine names logs by the second: two runs in one second need other names.
    losses = _train(_config(file, images, unbroken, **changes, experiment_name='unbroken'))
    cfg = _config(file, images, stopped, **changes)
    first = _train(cfg, stop_after, signal.SIGUSR1)
    assert max(first) == stop_after
    assert (stopped / 'last_checkpoint').read_text() == str(stopped / INTERRUPTED)
    cfg.resume = True
    second = _train(cfg)
    assert first | second == losses
    assert not first.keys() & second.keys()
    last = Path((unbroken / 'last_checkpoint').read_text()).name
    states = [load_checkpoint_file(folder / last) for folder in (unbroken, stopped)]
    assert _equal(*(state['state_dict'] for state in states))
    assert _records(stopped) == _records(unbroken)


@pytest.mark.slow
def test_checkpoints_by_iteration_in_a_run_by_epochs(images: Path, tmp_path: Path) -> None:
    changes = {
        'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 5,
        'train_dataloader.batch_size': 16,
    }
    changes |= {'default_hooks.checkpoint.by_epoch': False, 'default_hooks.checkpoint.interval': 2}
    cfg = _config(TINY, images, tmp_path, **changes)
    losses = _train(cfg)
    assert len(losses) == 6
    whole = load_checkpoint_file(tmp_path / 'iter_6.pth')['state_dict']
    cfg.resume, cfg.load_from = True, str(tmp_path / 'iter_4.pth')
    assert _train(cfg) == {5: losses[5], 6: losses[6]}
    assert _equal(load_checkpoint_file(tmp_path / 'iter_6.pth')['state_dict'], whole)


@pytest.mark.parametrize('workers', [0, 2])
def test_remaining_batches(workers: int) -> None:
    loader = _loader(EpochSampler(range(10), seed=3), workers)
    loader.sampler.set_epoch(2)
    whole = [batch.tolist() for batch in loader]
    assert [batch.tolist() for batch in remaining_batches(loader, 2)] == whole[2:]
    assert list(remaining_batches(loader, len(whole))) == []
    # The next pass is complete.
    assert [batch.tolist() for batch in loader] == whole


def test_remaining_batches_of_a_foreign_sampler() -> None:
    loader = _loader(SequentialSampler(range(10)), 0)
    assert [batch.tolist() for batch in remaining_batches(loader, 2)] == [[8, 9]]


def _loader(sampler: Sampler, workers: int) -> DataLoader:
    return DataLoader(range(10), 4, sampler=sampler, num_workers=workers)


@pytest.mark.parametrize(
    ('meta', 'expected'),
    [
        (dict(epoch=1, iter=3), 0),
        (dict(epoch=1, iter=5), 2),
        (dict(epoch=1, iter=9, batches_in_epoch=0, batches_per_epoch=9, samples_in_epoch=0), 0),
        (dict(batches_in_epoch=2, batches_per_epoch=3, samples_in_epoch=8), 2),
        # Twice the batch size, and half of it.
        (dict(batches_in_epoch=3, batches_per_epoch=5, samples_in_epoch=6), 1),
        (dict(batches_in_epoch=1, batches_per_epoch=2, samples_in_epoch=8), 2),
        (dict(batches_in_epoch=5, batches_per_epoch=5, samples_in_epoch=10), 3),
    ],
)
def test_position_in_an_epoch_of_three_batches_of_four(meta: dict, expected: int) -> None:
    assert _batches_done(meta, _loader(SequentialSampler(range(10)), 0)) == expected
