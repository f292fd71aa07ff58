"""Each backbone by config alone: trained two steps, evaluated, published, loaded by others."""

from pathlib import Path

import pytest
import torch

from mmrel.registry import MODELS
from mmrel.utils import load_checkpoint_file
from tests.commands import TINY, call, folders
from tests.images import make_folder

# Width of the pooled features, and the backbone.
BACKBONES = {
    'efficientnet-b0': (1280, dict(type='EfficientNet', arch='b0')),
    'vit-tiny': (
        192,
        dict(type='VisionTransformer', arch='deit-tiny', img_size=32, patch_size=4),
    ),
    'mobilenet-v2': (1280, dict(type='MobileNetV2')),
    'mobilenet-v3-large': (960, dict(type='MobileNetV3', arch='large')),
    'shufflenet-v2': (1024, dict(type='ShuffleNetV2')),
    'resnet18': (512, dict(type='ResNet', depth=18)),
    'resnet34': (512, dict(type='ResNet', depth=34)),
    'resnet50': (2048, dict(type='ResNet', depth=50)),
    'resnet101': (2048, dict(type='ResNet', depth=101)),
}
QUICK = ('efficientnet-b0', 'vit-tiny')


@pytest.mark.slow
@pytest.mark.parametrize(
    'name', [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in BACKBONES]
)
def test_trains_evaluates_and_is_published(name: str, tmp_path: Path) -> None:
    width, backbone = BACKBONES[name]
    images = make_folder(tmp_path / 'images', classes=2, each=8)
    config = tmp_path / 'backbone.py'
    config.write_text(
        f"_base_ = ['{TINY}']\n"
        f'model = dict(backbone=dict(_delete_=True, **{backbone}),\n'
        "    predictor=dict(type='MLPNeck', hidden_channels=8, norm_cfg=dict(type='BN1d')),\n"
        "    warmup=dict(type='InfoNCEWarmup', epochs=0.5))\n"
        'val_cfg = dict(k=(3,))\n'
        'train_cfg = dict(max_epochs=1, val_interval=1)\n'
        "custom_hooks = [dict(type='ChannelsLastHook')]\n"
    )
    data = folders(images)
    call('train.py', config, '--work-dir', tmp_path, *data)
    trained = load_checkpoint_file(tmp_path / 'epoch_1.pth')
    assert trained['meta']['iter'] == 2
    state = trained['state_dict']
    assert state['neck.mlp.0.weight'].shape[1] == width
    assert all(value.isfinite().all() for value in state.values())
    metrics = tmp_path / 'knn.json'
    call(
        'test.py', config, tmp_path / 'epoch_1.pth', '--work-dir', tmp_path / 't', '--out', metrics,
        *data,
    )  # fmt: skip
    assert 'knn3/top1' in metrics.read_text()
    call('model_converters/publish_model.py', tmp_path / 'epoch_1.pth', tmp_path / 'out.pth')
    (published,) = tmp_path.glob('out-*.pth')
    loaded = load_checkpoint_file(published)['state_dict']
    fresh = MODELS.build(dict(backbone))
    fresh.load_state_dict({k.removeprefix('backbone.'): v for k, v in loaded.items()})
    for key, value in fresh.state_dict().items():
        torch.testing.assert_close(value, state[f'backbone.{key}'], rtol=0, atol=0, msg=key)
