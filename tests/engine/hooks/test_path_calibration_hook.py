"""The statistics of the validated path come from the same plain training images each time."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmrel.engine.hooks import PathCalibrationHook
from tests.engine.number_set import loader


class _Supernet(nn.Module):
    """Remembers what its path was prepared with."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.calibration_batches, self.val_path = batches, dict(depth=2)
        self.weight = nn.Parameter(torch.ones(1))
        self.calls: list[tuple[dict, list[list[float]]]] = []

    def data_preprocessor(self, batch: dict, training: bool) -> dict:
        assert not training
        return dict(batch, inputs=batch['inputs'] * self.weight / 2)

    def prepare_path(self, path: dict, inputs: list[Tensor]) -> None:
        assert not self.training
        assert not any(part.requires_grad for part in inputs)
        self.calls.append((path, [part.flatten().tolist() for part in inputs]))


def _runner(batches: int) -> SimpleNamespace:
    cfg = dict(
        train_dataloader=loader(7, 4, 'augmented'),
        val_dataloader=loader(50, 3, 'plain'),
        test_dataloader=loader(50, 2, 'plain'),
    )
    return SimpleNamespace(cfg=Config(cfg), model=_Supernet(batches))


@pytest.mark.usefixtures('mmrel_scope')
def test_the_path_is_prepared_with_one_draw_of_training_images() -> None:
    runner, hook = _runner(2), PathCalibrationHook(seed=1)
    for _ in range(2):
        runner.model.train()
        hook.before_val_epoch(runner)
        runner.cfg.train_dataloader.dataset.size = 3  # it is not read again
    (path, inputs), second = runner.model.calls
    assert path == dict(depth=2)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1)) / 2
    assert inputs == [order[:3].tolist(), order[3:6].tolist()]
    assert second == (path, inputs)
    other = _runner(2)
    PathCalibrationHook(seed=2).before_val_epoch(other)
    assert other.model.calls[0] != second


@pytest.mark.usefixtures('mmrel_scope')
def test_the_batch_size_is_that_of_the_evaluation_or_ones_own() -> None:
    for hook, sizes in ((PathCalibrationHook(), [2, 2]), (PathCalibrationHook(5), [5, 2])):
        runner = _runner(2)
        hook.before_test_epoch(runner)
        assert [len(part) for part in runner.model.calls[0][1]] == sizes


def test_a_supernet_without_statistics_reads_no_images() -> None:
    runner = SimpleNamespace(cfg=Config(dict(val_dataloader={})), model=_Supernet(0).train())
    PathCalibrationHook().before_val_epoch(runner)
    assert runner.model.calls == []
    assert runner.model.training
