"""Published files: what they say, and who loads them strictly."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from mmengine.config import Config
from mmpretrain.models.backbones import ResNet

from mmrel.registry import MODELS
from mmrel.utils import load_checkpoint_file
from mmrel.utils.network_record import network_record, read_record
from mmrel.utils.publish import TARGETS, publish
from tests.commands import TINY, TINY_KSHOT, TINY_VITAS, call, folders

RESNET18 = dict(type='ResNet', depth=18)
CFG = dict(
    model=dict(type='ReSSL', backbone=dict(RESNET18, init_cfg=dict(type='Kaiming'))),
    data_preprocessor=dict(mean=[125.0, 123.0, 114.0], std=[51.0, 50.5, 51.0]),
    val_dataloader=dict(
        dataset=dict(pipeline=[dict(type='CentralView', size=224, resize=256)]),
    ),
)
RECORD = dict(
    method='ReSSL',
    supernet=False,
    backbone=RESNET18,
    mean=[125.0, 123.0, 114.0],
    std=[51.0, 50.5, 51.0],
    input_size=224,
    resize=256,
)


def _checkpoint(cfg: dict = CFG, depth: int = 18, **settings: object) -> dict:
    """A checkpoint of a channels-last training, with student and teacher."""
    state = {}
    for prefix in ('backbone.', 'teacher.backbone.'):
        network = ResNet(depth, **settings).to(memory_format=torch.channels_last)
        state |= {prefix + key: value for key, value in network.state_dict().items()}
    meta = dict(epoch=3, iter=30, seed=1, network=network_record(cfg))
    return dict(state_dict=state, meta=meta)


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    path = publish(_checkpoint(), str(tmp_path / 'x.pth'), results={'knn20/top1': 60.5})
    meta = load_checkpoint_file(path)['meta']
    assert meta.pop('mmrel_version')
    assert meta == dict(epoch=3, iter=30, network=RECORD, results={'knn20/top1': 60.5})


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('teacher', [False, True])
def test_weights_of_each_target(tmp_path: Path, target: str, teacher: bool) -> None:
    checkpoint = _checkpoint()
    path = publish(checkpoint, str(tmp_path / 'x.pth'), target, teacher)
    if target == 'safetensors':
        from safetensors import safe_open

        with safe_open(path, 'pt') as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            assert json.loads(file.metadata()['meta'])['network'] == RECORD
    else:
        state = torch.load(path, weights_only=True)
    bare = target in ('torchvision', 'timm')
    if not bare and target != 'safetensors':
        state = state['state_dict']
    prefix = 'teacher.backbone.' if teacher else 'backbone.'
    expected = {k.removeprefix(prefix): v for k, v in checkpoint['state_dict'].items()
                if k.startswith(prefix)}  # fmt: skip
    assert {k.removeprefix('' if bare else 'backbone.') for k in state} == expected.keys()
    for key, value in state.items():
        assert value.is_contiguous()
        assert torch.equal(value, expected[key.removeprefix('backbone.')])


def _program(words: list, tmp_path: Path) -> str:
    output = call('model_converters/publish_model.py', *words)
    (path,) = tmp_path.glob('out-*')
    assert output.startswith(str(path))
    return output.split('\n\n', 1)[1]


@pytest.mark.parametrize('ending', ['pth', 'safetensors'])
def test_the_printed_program_gives_the_same_features(tmp_path: Path, ending: str) -> None:
    checkpoint = _checkpoint()
    torch.save(checkpoint, tmp_path / 'src.pth')
    words = [tmp_path / 'src.pth', tmp_path / f'out.{ending}', '--for', 'torchvision']
    scope: dict = {}
    exec(_program(words, tmp_path), scope)
    ours = ResNet(18)
    ours.load_state_dict(
        {k.removeprefix('backbone.'): v for k, v in checkpoint['state_dict'].items()
         if k.startswith('backbone.')}
    )  # fmt: skip
    x = torch.randn(2, 3, 64, 64)
    ours.train(False)
    features = ours(x)[-1].mean((2, 3))
    assert isinstance(scope['model'], torchvision.models.ResNet)
    torch.testing.assert_close(scope['model'].eval()(x), features, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('target', ['mmseg', 'mmdet', 'mmpretrain', 'mmrel'])
def test_the_printed_config_loads_strictly(tmp_path: Path, target: str, mmrel_scope: None) -> None:
    checkpoint = _checkpoint()
    torch.save(checkpoint, tmp_path / 'src.pth')
    words = [tmp_path / 'src.pth', tmp_path / 'out.pth', '--for', target]
    cfg = Config.fromstring(_program(words, tmp_path), '.py')
    settings = dict(cfg.model.backbone)
    settings.pop('_delete_', None)
    backbone = MODELS.build(settings)
    backbone.init_weights()
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, checkpoint['state_dict'][f'backbone.{key}'])
    if target in ('mmseg', 'mmdet'):
        assert backbone.out_indices == (0, 1, 2, 3)
        assert cfg.model.data_preprocessor == dict(
            mean=RECORD['mean'], std=RECORD['std'], bgr_to_rgb=True
        )
        assert ('pretrained' in cfg.model) is (target == 'mmseg')
    else:
        assert cfg.data_preprocessor.to_rgb


@pytest.mark.parametrize('kind', ['mmrel.ResNet', 'mmpretrain.ResNet'])
def test_types_with_a_scope_and_fewer_stages(tmp_path: Path, kind: str, mmrel_scope: None) -> None:
    settings = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))
    backbone = dict(type=kind, depth=18, **settings)
    checkpoint = _checkpoint(dict(model=dict(type='ReSSL', backbone=backbone)), **settings)
    torch.save(checkpoint, tmp_path / 'src.pth')
    words = [tmp_path / 'src.pth', tmp_path / 'out.pth', '--for', 'mmseg']
    cfg = Config.fromstring(_program(words, tmp_path), '.py')
    built = dict(cfg.model.backbone)
    built.pop('_delete_')
    network = MODELS.build(built)
    network.init_weights()
    assert network.out_indices == (0, 1)
    assert torch.equal(network.conv1.weight, checkpoint['state_dict']['backbone.conv1.weight'])


def test_the_version_is_that_of_the_training(tmp_path: Path) -> None:
    checkpoint = _checkpoint()
    checkpoint['meta']['run'] = dict(mmrel_version='0.0.1')
    path = publish(checkpoint, str(tmp_path / 'x.pth'))
    assert load_checkpoint_file(path)['meta']['mmrel_version'] == '0.0.1'


def test_a_config_of_another_backbone_is_refused(tmp_path: Path) -> None:
    checkpoint = _checkpoint()
    del checkpoint['meta']['network']
    torch.save(checkpoint, tmp_path / 'src.pth')
    words = [tmp_path / 'src.pth', tmp_path / 'out.pth', '--config', TINY]
    with pytest.raises(ValueError, match=r'(?s)tiny\.py differs from.*layer1'):
        call('model_converters/publish_model.py', *words)
    assert not list(tmp_path.glob('out*'))


def _dilated() -> dict:
    settings = dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 1))
    backbone = dict(RESNET18, **settings)
    return _checkpoint(dict(model=dict(type='ReSSL', backbone=backbone)), **settings)


def _caffe() -> dict:
    backbone = dict(type='ResNet', depth=50, style='caffe')
    return _checkpoint(dict(model=dict(type='ReSSL', backbone=backbone)), 50, style='caffe')


@pytest.mark.parametrize(
    ('make', 'options', 'message'),
    [
        (_caffe, dict(target='timm'), "style='caffe'"),
        (_dilated, dict(target='torchvision'), 'strides=[1, 2, 2, 1]'),
        (lambda: _checkpoint(), dict(results=[1]), 'mapping of names to scores, not a list'),
        (lambda: _checkpoint(), dict(results=dict(top1=float('nan'))), "'top1' must be a finite"),
        (lambda: _checkpoint(base_channels=16), dict(target='torchvision'), 'nearest is resnet18'),
        (
            lambda: dict(state_dict={'backbone.x': torch.zeros(1)}),
            dict(teacher=True),
            "no key of the checkpoint starts with 'teacher.backbone.'",
        ),
        (lambda: _checkpoint(), dict(target='keras'), 'must be one of mmrel'),
    ],
    ids=['caffe', 'strides', 'results', 'NaN', 'narrow', 'no teacher', 'target'],
)
def test_what_cannot_be_loaded_is_not_written(
    tmp_path: Path, make: Callable[[], dict], options: dict, message: str
) -> None:
    with pytest.raises((ValueError, KeyError), match=re.escape(message)):
        publish(make(), str(tmp_path / 'x.pth'), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('config', [TINY_VITAS, TINY_KSHOT], ids=['vitas', 'kshot'])
@pytest.mark.parametrize('recorded', [False, True])
def test_a_supernet_is_refused(
    tmp_path: Path, config: Path, recorded: bool, mmrel_scope: None
) -> None:
    cfg = Config.fromfile(config)
    state = {'backbone.x': torch.zeros(1)}
    if not recorded:  # a file of an older version
        space = dict(cfg.model.space)
        space.setdefault('num_classes', 3)
        state = MODELS.build(dict(cfg.model, space=space)).state_dict()
    meta = dict(network=network_record(cfg)) if recorded else {}
    with pytest.raises(ValueError, match=r'is a supernet.*retrain\.py'):
        publish(dict(state_dict=state, meta=meta), str(tmp_path / 'x.pth'))


def test_a_training_records_its_network(images: Path, tmp_path: Path) -> None:
    call(
        'train.py', TINY, '--work-dir', tmp_path, *folders(images), 'train_cfg.max_epochs=1',
        'train_dataloader.num_workers=0', 'custom_hooks=[]',
    )  # fmt: skip
    record = read_record(load_checkpoint_file(tmp_path / 'epoch_1.pth')['meta'])
    assert record == network_record(Config.fromfile(TINY))
    assert (record['method'], record['input_size']) == ('ReSSL', 32)
    assert 'init_cfg' not in record['backbone']
    MODELS.build(dict(record['backbone'], type=f'mmrel.{record["backbone"]["type"]}'))
