from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from mmrel.engine import KNNMultiCropHook
from mmrel.engine.plain_loader import plain_loader_config


@pytest.mark.parametrize(
    ('interval', 'begin', 'expected'),
    [
        (1, 1, [1, 2, 3, 4, 5, 6, 7]),
        (1, 0, [1, 2, 3, 4, 5, 6, 7]),
        (2, 1, [1, 3, 5, 7]),
        (3, 0, [3, 6]),
        (2, 5, [5, 7]),
        (20, 8, []),
    ],
)
def test_epochs_after_which_it_refreshes(interval: int, begin: int, expected: list) -> None:
    hook = KNNMultiCropHook(interval, begin)
    found = []
    hook.refresh = lambda runner: found.append(runner.epoch + 1)
    for epoch in range(8):
        hook.after_train_epoch(SimpleNamespace(epoch=epoch, max_epochs=8))
    assert found == expected


@pytest.mark.parametrize(
    ('interval', 'begin', 'message'),
    [(0, 1, r'\.interval=0 must be at least 1'), (1, -1, r'\.begin=-1 must not be negative')],
)
def test_config_errors(interval: int, begin: int, message: str) -> None:
    with pytest.raises(ValueError, match=f'^KNNMultiCropHook{message}'):
        KNNMultiCropHook(interval, begin)


def test_a_checkpoint_that_is_only_loaded_leaves_the_table() -> None:
    hook = KNNMultiCropHook()
    checkpoint = dict(knn_multi_crop=dict(neighbours=torch.zeros(2, 1)))
    hook.after_load_checkpoint(SimpleNamespace(_resume=False), checkpoint)  # no dataset is read


def test_the_training_set_is_read_inside_its_wrappers() -> None:
    inner = dict(type='ImageFolder', data_root='a', pipeline=[dict(type='LoadImage')], indices=7)
    cfg = Config(
        dict(
            train_dataloader=dict(
                batch_size=4,
                dataset=dict(type='KNNMultiCropDataset', dataset=inner, crop_pipeline=[]),
            )
        )
    )
    like = dict(batch_size=9, dataset=dict(type='Other', pipeline=['plain']), num_workers=3)
    plain = plain_loader_config(cfg, like, dict(batch_size=5))
    assert plain['dataset'] == dict(inner, pipeline=['plain'], test_mode=True)
    assert (plain['batch_size'], plain['num_workers']) == (5, 3)
    assert plain['sampler'] == dict(type='DefaultSampler', shuffle=False, round_up=False)
    assert cfg.train_dataloader.dataset.dataset.pipeline == [dict(type='LoadImage')]
