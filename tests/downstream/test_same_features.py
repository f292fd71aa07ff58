"""One published ResNet-50 gives the same features in five libraries."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS as MMDET
from mmengine.config import Config
from mmpretrain.models.backbones import ResNet
from mmpretrain.registry import MODELS as MMPRETRAIN
from mmseg.registry import MODELS as MMSEG
from torch import Tensor

from mmrel.utils.network_record import network_record
from tests.commands import call

MAPS = dict(mmpretrain=MMPRETRAIN, mmseg=MMSEG, mmdet=MMDET)


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tensor, Tensor]:
    """A checkpoint of a training, images, and the features that its backbone gives."""
    network = ResNet(50)
    # Statistics that an untrained network does not have.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.5, 0.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    model = dict(type='ReSSL', backbone=dict(type='ResNet', depth=50))
    state = {f'backbone.{k}': v for k, v in network.state_dict().items()}
    path = tmp_path_factory.mktemp('trained') / 'epoch_1.pth'
    record = network_record(dict(model=model))
    torch.save(dict(state_dict=state, meta=dict(epoch=1, network=record)), path)
    images = torch.randn(2, 3, 96, 64)
    network.train(False)  # gives nothing back
    with torch.no_grad():
        return path, images, network(images)[-1]


def _published(checkpoint: Path, folder: Path, target: str) -> str:
    """The lines that publishing prints."""
    words = [checkpoint, folder / 'x.pth', '--for', target]
    return call('model_converters/publish_model.py', *words).split('\n\n', 1)[1]


@pytest.mark.parametrize('target', ['torchvision', 'timm'])
def test_programs(trained: tuple, tmp_path: Path, target: str) -> None:
    checkpoint, images, maps = trained
    scope: dict = {}
    exec(_published(checkpoint, tmp_path, target), scope)
    assert type(scope['model']).__module__.startswith(target)
    with torch.no_grad():
        features = scope['model'].eval()(images)
    expected = maps.mean((2, 3))
    torch.testing.assert_close(features, expected, rtol=1e-6, atol=1e-6 * float(expected.max()))


@pytest.mark.parametrize('target', MAPS)
@pytest.mark.parametrize('own', [False, True], ids=['mmrel.ResNet', 'their ResNet'])
def test_backbones(trained: tuple, tmp_path: Path, target: str, own: bool) -> None:
    checkpoint, images, maps = trained
    cfg = Config.fromstring(_published(checkpoint, tmp_path, target), '.py')
    settings = dict(cfg.model.backbone)
    settings.pop('_delete_', None)
    if own:
        settings['type'] = f'{target}.ResNet'
    backbone = MAPS[target].build(settings)
    assert type(backbone).__module__.startswith(target if own else 'mmpretrain')
    backbone.init_weights()
    backbone.train(False)
    with torch.no_grad():
        features = backbone(images)[-1]
    torch.testing.assert_close(features, maps, rtol=1e-6, atol=1e-6 * float(maps.max()))
