"""Files that only fit in part: the packages' own networks refuse them, and say what to change."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS as MMDET
from mmpretrain.models.backbones import MobileNetV2, ResNet
from mmseg.registry import MODELS as MMSEG
from torch import nn

from mmrel.utils.network_record import network_record
from mmrel.utils.publish import publish


def _publish(folder: Path, backbone: nn.Module, **settings: object) -> str:
    record = network_record(dict(model=dict(type='ReSSL', backbone=settings)))
    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    content = dict(state_dict=state, meta=dict(network=record))
    return publish(content, str(folder / f'{settings["type"]}.pth'))


@pytest.fixture(scope='module')
def resnet50(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp('published')
    return _publish(folder, ResNet(50), type='ResNet', depth=50)


def _message(registry: object, path: str, prefix: str | None, settings: dict) -> str:
    init = dict(type='mmrel.Pretrained', checkpoint=path, prefix=prefix)
    backbone = registry.build(dict(settings, init_cfg=init))
    with pytest.raises(RuntimeError) as caught:
        backbone.init_weights()
    return str(caught.value)


STEM = dict(type='mmrel.ResNetSmallImage', depth=50)
CASES = [
    (dict(type='ResNetV1c', depth=50), 'backbone.', '312 of 330', "use type='mmrel.ResNet'"),
    (dict(type='ResNetV1d', depth=50), 'backbone.', 'of 330', "use type='mmrel.ResNet'"),
    (dict(depth=50, norm_cfg=dict(type='GN', num_groups=32)), 'backbone.', '61 of 159', 'BN'),
    (dict(depth=50), None, '0 of 318', "set prefix='backbone.'"),
    (dict(depth=50), 'encoder.', '0 of 318', "set prefix='backbone.'"),
    (STEM, 'backbone.', '317 of 318', "type='mmrel.ResNetSmallImage'"),
    (dict(depth=50, style='caffe'), 'backbone.', '', "set style='pytorch'"),
]
NAMES = ['V1c', 'V1d', 'GN', 'no prefix', 'wrong prefix', '3x3 stem', 'caffe']


@pytest.mark.parametrize('package', ['mmseg', 'mmdet'])
@pytest.mark.parametrize(('settings', 'prefix', 'count', 'remedy'), CASES, ids=NAMES)
def test_half_a_resnet_is_refused(
    resnet50: str, package: str, settings: dict, prefix: str | None, count: str, remedy: str
) -> None:
    settings = {'type': 'ResNet', **settings}
    if package == 'mmdet' and settings['type'] == 'ResNetV1c':
        settings = dict(type='ResNet', depth=50, deep_stem=True)
    registry = dict(mmseg=MMSEG, mmdet=MMDET)[package]
    message = _message(registry, resnet50, prefix, settings)
    assert message.startswith(f"'{resnet50}'")
    assert count in message
    assert remedy in message


def test_a_mobilenet_whose_layers_have_other_names_is_refused(tmp_path: Path) -> None:
    path = _publish(tmp_path, MobileNetV2(), type='MobileNetV2')
    message = _message(MMDET, path, 'backbone.', dict(type='MobileNetV2'))
    assert '12 of 312' in message
    assert "use type='mmrel.MobileNetV2'" in message


def test_the_mobilenet_of_mmseg_is_the_same_network(tmp_path: Path) -> None:
    ours = MobileNetV2(out_indices=(6,))
    path = _publish(tmp_path, ours, type='MobileNetV2')
    init = dict(type='mmrel.Pretrained', checkpoint=path, prefix='backbone.')
    theirs = MMSEG.build(dict(type='MobileNetV2', out_indices=(6,), init_cfg=init))
    theirs.init_weights()
    images = torch.randn(2, 3, 64, 64)
    for network in (ours, theirs):
        network.train(False)
    torch.testing.assert_close(theirs(images), ours(images)[0], rtol=0, atol=0)


@pytest.mark.parametrize('package', ['mmseg', 'mmdet'])
def test_what_fits_is_loaded(resnet50: str, package: str) -> None:
    registry = dict(mmseg=MMSEG, mmdet=MMDET)[package]
    init = dict(type='mmrel.Pretrained', checkpoint=resnet50, prefix='backbone.')
    backbone = registry.build(dict(type='ResNet', depth=50, init_cfg=init))
    backbone.init_weights()
    given = torch.load(resnet50, weights_only=True)['state_dict']
    state = backbone.state_dict()
    assert len(state) == 318
    for key, value in state.items():
        assert torch.equal(value, given[f'backbone.{key}'])


def test_mmsegs_own_base_config_takes_the_printed_lines(resnet50: str, tmp_path: Path) -> None:
    from mmengine.config import Config

    from tests.commands import call

    source = tmp_path / 'source.pth'
    state = torch.load(resnet50, weights_only=True)
    torch.save(state, source)
    words = [source, tmp_path / 'out.pth', '--for', 'mmseg']
    printed = call('model_converters/publish_model.py', *words).split('\n\n', 1)[1]
    file = tmp_path / 'config.py'
    file.write_text(f"_base_ = ['mmseg::_base_/models/fcn_r50-d8.py']\n{printed}")
    cfg = Config.fromfile(file)
    model = MMSEG.build(cfg.model)
    model.init_weights()
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, state['state_dict'][f'backbone.{key}'])
