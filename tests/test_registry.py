import pytest
from mmengine.registry import MODELS as ROOT
from mmengine.registry import DefaultScope
from mmpretrain.models import Mixup, ResNet
from mmpretrain.registry import BATCH_AUGMENTS

from mmrel import registry
from mmrel.models import ReSSL


def test_falls_back_to_mmpretrain() -> None:
    assert type(registry.MODELS.build(dict(type='ResNet', depth=18))) is ResNet


def test_is_a_child_of_mmengine() -> None:
    assert registry.MODELS.parent is ROOT
    assert ROOT.get('mmrel.ReSSL') is ReSSL


@pytest.mark.parametrize('name', registry.__all__)
def test_every_node_is_in_scope_mmrel(name: str) -> None:
    assert getattr(registry, name).scope == 'mmrel'


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(KeyError, match='ResNetty'):
        registry.MODELS.build(dict(type='ResNetty'))


def test_without_a_fallback_a_foreign_scope_is_not_ours() -> None:
    assert registry.MODELS.get('mmengine.ResNet') is None


def test_a_name_with_our_scope_falls_back_too() -> None:
    assert registry.MODELS.get('mmrel.ResNet') is registry.MODELS.get('ResNet')
    assert registry.MODELS.get('mmrel.NoSuchNetwork') is None


def test_batch_augments_are_ours_first_and_mmpretrains_then() -> None:
    with (
        DefaultScope.overwrite_default_scope('mmrel'),
        BATCH_AUGMENTS.switch_scope_and_registry(None) as found,
    ):
        assert found is registry.BATCH_AUGMENTS
        assert type(BATCH_AUGMENTS.build(dict(type='Mixup', alpha=0.8))) is Mixup
