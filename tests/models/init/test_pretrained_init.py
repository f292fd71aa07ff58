"""mmrel.Pretrained loads all of a backbone, or says what to change."""

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModule
from mmpretrain.models.backbones import MobileNetV2, ResNet, ResNetV1c, ResNetV1d
from torch import nn

from mmrel.models.backbones import ResNetSmallImage
from mmrel.registry import MODELS
from mmrel.utils.network_record import network_record
from mmrel.utils.publish import publish


def _content(backbone: nn.Module, **settings: object) -> dict:
    record = network_record(dict(model=dict(type='ReSSL', backbone=settings)) if settings else {})
    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    return dict(state_dict=state, meta=dict(network=record))


@pytest.fixture(scope='module')
def resnet50(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A published ResNet-50."""
    path = tmp_path_factory.mktemp('published') / 'resnet50.pth'
    return publish(_content(ResNet(50), type='ResNet', depth=50), str(path))


def _init(path: str, prefix: str | None = 'backbone.') -> dict:
    return dict(type='mmrel.Pretrained', checkpoint=path, prefix=prefix)


def _message(backbone: nn.Module) -> str:
    with pytest.raises(RuntimeError) as caught:
        backbone.init_weights()
    return str(caught.value)


@pytest.mark.parametrize('path', ['list', 'dict'])
def test_what_fits_is_loaded(resnet50: str, path: str) -> None:
    init = _init(resnet50)
    backbone = ResNet(50, init_cfg=[init] if path == 'list' else init)
    backbone.init_weights()
    given = torch.load(resnet50, weights_only=True)['state_dict']
    for key, value in backbone.state_dict().items():
        torch.testing.assert_close(value, given[f'backbone.{key}'], rtol=0, atol=0)


GN = dict(type='GN', num_groups=32)


@pytest.mark.parametrize(
    ('build', 'prefix', 'count', 'remedy'),
    [
        (
            lambda **x: ResNetV1c(depth=50, **x),
            'backbone.',
            '312 of 330',
            "use type='mmrel.ResNet'",
        ),
        (lambda **x: ResNetV1d(depth=50, **x), 'backbone.', '294 of 330', 'avg_down=False'),
        (lambda **x: ResNet(50, norm_cfg=GN, **x), 'backbone.', '61 of 159', "dict(type='BN')"),
        (lambda **x: ResNet(50, **x), None, '0 of 318', "set prefix='backbone.'"),
        (lambda **x: ResNet(50, **x), 'encoder.', '0 of 318', "set prefix='backbone.'"),
        (
            lambda **x: ResNetSmallImage(50, **x),
            'backbone.',
            '317 of 318',
            "(type='mmrel.ResNetSmallImage')",
        ),
        (lambda **x: ResNet(50, style='caffe', **x), 'backbone.', '', "set style='pytorch'"),
        # The file has all of the network's layers, and more.
        (lambda **x: ResNet(18, **x), 'backbone.', 'of 120', "type='mmrel.ResNet', depth=50"),
    ],
    ids=['V1c', 'V1d', 'GN', 'no prefix', 'wrong prefix', '3x3 stem', 'caffe', 'depth'],
)
def test_what_does_not_fit_is_refused_with_the_remedy(
    resnet50: str, build: object, prefix: str | None, count: str, remedy: str
) -> None:
    message = _message(build(init_cfg=_init(resnet50, prefix)))
    assert message.startswith(f"'{resnet50}'")
    assert count in message
    assert remedy in message
    assert len(message.splitlines()) <= 3


def test_layers_left_over_in_a_part_are_another_network(tmp_path: Path) -> None:
    path = tmp_path / 'resnet101.pth'
    torch.save(dict(state_dict=ResNet(101).state_dict()), path)
    message = _message(ResNet(50, init_cfg=_init(str(path), None)))
    assert '318 of 318' in message
    assert '306 unexpected in the checkpoint: layer3.6.conv1.weight' in message
    # Whole parts may be left out: here the last stage.
    shorter = ResNet(
        101,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        init_cfg=_init(str(path), None),
    )
    shorter.init_weights()


def test_a_prefix_too_many(tmp_path: Path) -> None:
    path = tmp_path / 'bare.pth'
    torch.save(ResNet(18).state_dict(), path)
    assert 'remove prefix' in _message(ResNet(18, init_cfg=_init(str(path))))


class _MobileNetOfMMDet(MobileNetV2):
    """Stands in for mmdet's class of this name, whose layers have other names."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        for block in [m for m in self.modules() if type(m).__name__ == 'InvertedResidual']:
            names = ['expand_conv', 'depthwise_conv', 'linear_conv'][-len(block.conv) :]
            for name, layer in zip(names, block.conv, strict=True):
                setattr(block, name, layer)
            del block.conv


def test_a_network_of_the_same_name(tmp_path: Path) -> None:
    path = publish(_content(MobileNetV2(), type='MobileNetV2'), str(tmp_path / 'mobile.pth'))
    message = _message(_MobileNetOfMMDet(init_cfg=_init(path)))
    assert '12 of 312' in message
    assert "use type='mmrel.MobileNetV2'" in message


class _Detector(BaseModule):
    """A model that initializes its backbone, as mmdet's do."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(dict(type='Normal', layer='Conv2d', std=0.1))
        self.backbone = backbone


@pytest.mark.parametrize(
    'config',
    [
        dict(type='MobileNetV2', widen_factor=0.25),
        dict(type='MobileNetV3', arch='small_050'),
        dict(type='EfficientNet', arch='b0'),
        dict(type='ShuffleNetV2', widen_factor=0.5),
        dict(type='VisionTransformer', arch='deit-tiny', img_size=32, patch_size=8),
        dict(type='ResNet', depth=18, zero_init_residual=True),
        dict(type='WideResNet', depth=10, widen_factor=1),
    ],
    ids=lambda config: config['type'],
)
def test_no_layer_starts_again_after_loading(
    tmp_path: Path, config: dict, mmrel_scope: None
) -> None:
    path = tmp_path / 'x.pth'
    state = MODELS.build(config).state_dict()
    torch.save({key: torch.full_like(value, 2) for key, value in state.items()}, path)
    model = _Detector(MODELS.build(dict(config, init_cfg=_init(str(path), None))))
    model.init_weights()
    other = [key for key, value in model.backbone.state_dict().items() if not (value == 2).all()]
    assert other == []
