"""mmpretrain's SwitchRecipeHook with our sampler, wrappers, persistent workers and resume."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmrel.datasets import SampleIndex
from mmrel.registry import DATASETS
from tests.commands import TINY_WCL
from tests.images import make_folder


class _Record(Hook):
    """The images and views of each epoch's batches."""

    def __init__(self) -> None:
        self.epochs: dict[int, list[dict]] = {}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict) -> None:
        self.epochs.setdefault(runner.epoch, []).append(data_batch)


def _config(root: Path, work_dir: Path) -> Config:
    cfg = Config.fromfile(TINY_WCL)
    cfg.train_dataloader.dataset.dataset.data_root = str(root)
    cfg.train_dataloader.update(num_workers=2, persistent_workers=True)
    cfg.update(
        work_dir=str(work_dir),
        experiment_name=work_dir.name,
        val_dataloader=None,
        val_evaluator=None,
        val_cfg=None,
        custom_hooks=cfg.custom_hooks[:1],
    )
    return cfg


def _run(cfg: Config) -> _Record:
    record = _Record()
    runner = Runner.from_cfg(cfg)
    runner.register_hook(record)
    runner.train()
    return record


def _expected(cfg: Config, epoch: int, index: int) -> list[torch.Tensor]:
    """A sample, read again with the pipeline of its epoch."""
    dataset = dict(cfg.train_dataloader.dataset)
    if epoch >= 2:  # the third
        pipeline = cfg.custom_hooks[0].schedule[0].train_pipeline
        dataset['dataset'] = dict(dataset['dataset'], pipeline=pipeline)
    return DATASETS.build(dataset)[SampleIndex(index, seed=0, epoch=epoch)]['inputs']


def _assert_views(cfg: Config, record: _Record, epochs: range) -> None:
    assert sorted(record.epochs) == list(epochs)
    for epoch, batches in record.epochs.items():
        assert len(batches) == 2
        for batch in batches:
            for row in (0, 7):
                index = batch['data_samples'][row].sample_idx
                expected = _expected(cfg, epoch, index)
                assert len(expected) == len(batch['inputs']) == 4
                for ours, theirs in zip(batch['inputs'], expected, strict=True):
                    torch.testing.assert_close(ours[row], theirs, rtol=0, atol=0)


@pytest.mark.slow
def test_views_are_those_of_the_epochs_recipe_also_when_resumed(tmp_path: Path) -> None:
    init_default_scope('mmrel')
    root = make_folder(tmp_path / 'images', classes=2, each=8)
    cfg = _config(root, tmp_path / 'whole')
    _assert_views(cfg, _run(cfg), range(5))
    for start in (2, 4):  # the recipe changes right after resuming, or has changed before
        again = _config(root, tmp_path / f'resumed-{start}')
        again.update(resume=True, load_from=f'{cfg.work_dir}/epoch_{start}.pth')
        _assert_views(again, _run(again), range(start, 5))


def test_the_two_recipes_differ(tmp_path: Path) -> None:
    init_default_scope('mmrel')
    cfg = _config(make_folder(tmp_path / 'images', classes=2, each=8), tmp_path)
    pipelines = [
        cfg.train_dataloader.dataset.dataset.pipeline,
        cfg.custom_hooks[0].schedule[0].train_pipeline,
    ]
    first, second = (p[1].transforms[0][0] for p in pipelines)
    assert second.scale == (0.08, 1.0)
    assert second.jitter == (0.8, 0.8, 0.8, 0.2)
    assert 'scale' not in first
