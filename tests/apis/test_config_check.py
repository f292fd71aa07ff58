"""Misspelt modules and keys of a config."""

from typing import Any

import pytest
from mmengine.config import Config

from mmrel.apis import get_model
from mmrel.apis.config_check import check_config
from tests.commands import ROOT
from tests.configs import CONFIGS


@pytest.mark.slow
def test_every_config_passes() -> None:
    assert len(CONFIGS) > 90
    for path in CONFIGS:
        check_config(Config.fromfile(path))


def _check(**sections: Any) -> None:
    check_config(Config(sections))


def test_a_required_key_is_missed_before_anything_is_built() -> None:
    with pytest.raises(KeyError, match=r'model\.neck is missing: ReSSL needs it'):
        _check(model=dict(type='ReSSL', backbone=dict(type='ResNet', depth=18), head={}, memory={}))
    with pytest.raises(KeyError, match=r'val_evaluator\.0\.type is missing'):
        _check(val_evaluator=[dict(typ='Accuracy')])
    with pytest.raises(KeyError, match=r'train_dataloader\.dataset\.type is missing'):
        _check(train_dataloader=dict(dataset=dict(data_root='x')))


def test_classes_that_follow_from_the_data_may_be_left_out() -> None:
    model = Config.fromfile(ROOT / 'tests/data/tiny_simmatch.py').model
    del model.num_classes
    _check(model=model)
    model.num_clases = 3
    with pytest.raises(KeyError, match=r'num_clases is not a setting.* mean num_classes'):
        _check(model=model)


def test_what_cannot_be_told_is_let_through() -> None:
    _check(default_scope='mmpretrain', model=dict(type='Nothing'))
    _check(model=dict(type='LinearClassifier', backbone=dict(type='TIMMBackbone', model_name='x',
                                                             any_key=1), head={}))  # fmt: skip
    _check(optim_wrapper=dict(constructor='KShotOptimWrapperConstructor', simplex_net={}))
    _check(custom_hooks=[dict(type='mmengine.EMAHook', ema_type='ExponentialMovingAverage')])


@pytest.mark.parametrize(
    ('key', 'kind', 'near'), [('norm_cfg', 'SyncBNN', 'SyncBN'), ('act_cfg', 'ReLLU', 'ReLU')]
)
def test_a_layer_that_is_not_registered_has_its_place(key: str, kind: str, near: str) -> None:
    backbone = dict(type='MobileNetV2', **{key: dict(type=kind)})
    head = dict(type='LinearClsHead', num_classes=2, in_channels=1280)
    cfg = Config(dict(model=dict(type='mmpretrain.ImageClassifier', backbone=backbone, head=head)))
    message = rf'model\.backbone\.{key}\.type=\'{kind}\' is not a registered layer; .*{near}'
    with pytest.raises(KeyError, match=message):
        get_model(cfg)
