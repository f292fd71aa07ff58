"""Every way to load pre-trained weights loads them all and keeps them."""

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model.weight_init import PretrainedInit as MMEnginePretrained
from mmengine.runner import Runner
from torch import nn

from mmrel.engine.hooks import StrictLoadHook
from mmrel.models import SearchedViT, ViTASSupernet
from mmrel.registry import MODELS
from mmrel.utils.weights import load_weights
from tests.models.backbones.positions import resized_positions
from tests.vitas import small_space

VIT = dict(
    type='SearchedViT',
    embed_dims=6,
    blocks=[dict(num_heads=2, qkv_dims=12, mlp_dims=8), None],
    patch_size=4,
)
RESNET = dict(type='ResNetSmallImage', depth=18, stem_channels=2, base_channels=2)
SMALL, LARGE = 16, (24, 40)

pytestmark = pytest.mark.usefixtures('mmrel_scope')


def _build(config: dict, **changes) -> nn.Module:
    return MODELS.build(dict(copy.deepcopy(config), **changes))


@pytest.fixture
def trained() -> nn.Module:
    """A network for 16-px images, with values that no initializer gives."""
    model = _build(VIT, img_size=SMALL)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


@pytest.fixture
def checkpoint(trained: nn.Module, tmp_path: Path) -> str:
    file = tmp_path / 'small.pth'
    state = {f'backbone.{k}': v for k, v in trained.state_dict().items()}
    torch.save(dict(state_dict=state), file)
    return str(file)


def _check(model: nn.Module, trained: nn.Module) -> None:
    """All weights are the trained ones, resized to 24 x 40 pixels."""
    expected = trained.state_dict()
    expected['stem.pos_embed'] = resized_positions(expected['stem.pos_embed'], (4, 4), (6, 10))
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=1e-5, msg=key)


def test_a_state_dict_isresized_positions(trained: nn.Module) -> None:
    model, state = _build(VIT, img_size=LARGE), trained.state_dict()
    model.load_state_dict(state)  # strict
    _check(model, trained)
    assert state['stem.pos_embed'].shape == (1, 17, 6)
    # For large images, the small network and the resized one give the same result.
    image = torch.randn(2, 3, *LARGE)
    torch.testing.assert_close(model.eval()(image)[0], trained.eval()(image)[0])


def test_no_change_of_size_changes_nothing(trained: nn.Module) -> None:
    model = _build(VIT, img_size=(15, 13))  # the same number of patches
    model.load_state_dict(trained.state_dict())
    assert torch.equal(model.stem.pos_embed, trained.stem.pos_embed)


_OTHERS = [
    dict(type='TruncNormal', layer='Linear'),
    dict(type='Constant', layer='LayerNorm', val=1),
]


@pytest.mark.parametrize('frozen', [-1, 1])
@pytest.mark.parametrize(
    'init_cfg',
    [
        lambda file: dict(type='Pretrained', checkpoint=file, prefix='backbone.'),
        lambda file: dict(type='mmrel.Pretrained', checkpoint=file, prefix='backbone.'),
        lambda file: dict(type=MMEnginePretrained, checkpoint=file, prefix='backbone.'),
        lambda file: dict(type='mmengine.Pretrained', checkpoint=file, prefix='backbone.'),
        lambda file: [dict(type='Pretrained', checkpoint=file, prefix='backbone.'), *_OTHERS],
        lambda file: [*_OTHERS, dict(type='mmrel.Pretrained', checkpoint=file, prefix='backbone.')],
    ],
    ids=['name', 'mmrel', 'class', 'mmengine', 'list', 'mmrel_list'],
)
def test_init_cfg(
    init_cfg: Callable[[str], dict | list], frozen: int, trained: nn.Module, checkpoint: str
) -> None:
    model = _build(VIT, img_size=LARGE, init_cfg=init_cfg(checkpoint), frozen_stages=frozen)
    model.init_weights()
    _check(model, trained)
    # A second call changes nothing either.
    model.init_weights()
    _check(model, trained)
    assert model.stem.pos_embed.requires_grad == (frozen < 0)


@pytest.mark.parametrize('kind', ['Pretrained', 'mmrel.Pretrained'])
def test_init_cfg_of_the_whole_model(kind: str, trained: nn.Module, tmp_path: Path) -> None:
    config = dict(
        type='ImageClassifier',
        backbone=dict(VIT, img_size=LARGE),
        head=dict(type='LinearClsHead', in_channels=6, num_classes=2),
    )
    file = tmp_path / 'classifier.pth'
    source = _build(config, backbone=dict(VIT, img_size=SMALL))
    source.backbone.load_state_dict(trained.state_dict())
    torch.save(source.state_dict(), file)
    model = _build(config, init_cfg=dict(type=kind, checkpoint=str(file)))
    model.init_weights()
    _check(model.backbone, trained)
    assert torch.equal(model.head.fc.weight, source.head.fc.weight)


@pytest.mark.parametrize(
    'init_cfg',
    [
        lambda file: dict(type='mmrel.Pretrained', checkpoint=file),
        lambda file: [
            dict(type='Kaiming', layer='Conv2d'),
            dict(type='Pretrained', checkpoint=file),
        ],
    ],
    ids=['mmrel', 'list'],
)
@pytest.mark.parametrize('kind', ['ResNetSmallImage', 'mmpretrain.ResNet'])
def test_the_last_norms_of_a_resnet_stay(
    kind: str, init_cfg: Callable[[str], dict | list], tmp_path: Path
) -> None:
    file = tmp_path / 'resnet.pth'
    trained = _build(RESNET, type=kind)
    nn.init.normal_(trained.layer1[0].bn2.weight)
    torch.save(trained.state_dict(), file)
    model = _build(RESNET, type=kind, init_cfg=init_cfg(str(file)))
    model.init_weights()
    for key, value in model.state_dict().items():
        assert torch.equal(value, trained.state_dict()[key]), key


def test_without_pretrained_weights_tokens_are_random() -> None:
    vit, supernet = _build(VIT, img_size=SMALL), ViTASSupernet(small_space())
    for model, stems in ((vit, [vit.stem]), (supernet, supernet.stems)):
        model.init_weights()
        for stem in stems:
            assert 0.01 < stem.pos_embed.std() < 0.03
            assert stem.cls_token.abs().max() > 0
        before = copy.deepcopy(model.state_dict())
        model.init_weights()
        assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_supernets_tokens_stay(tmp_path: Path) -> None:
    file = tmp_path / 'supernet.pth'
    trained = ViTASSupernet(small_space())
    for parameter in trained.parameters():
        nn.init.normal_(parameter)
    torch.save(trained.state_dict(), file)
    pretrained = dict(type='Pretrained', checkpoint=str(file))
    model = ViTASSupernet(small_space(), init_cfg=[*_OTHERS, pretrained])
    model.init_weights()
    for key, value in model.state_dict().items():
        assert torch.equal(value, trained.state_dict()[key]), key


class _Holder(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone


def test_load_weights(trained: nn.Module, checkpoint: str) -> None:
    model = _Holder(_build(VIT, img_size=LARGE))
    load_weights(model, checkpoint)
    _check(model.backbone, trained)


def test_load_from(trained: nn.Module, checkpoint: str, tmp_path: Path) -> None:
    runner = Runner(
        model=_Holder(_build(VIT, img_size=LARGE)),
        work_dir=str(tmp_path / 'work'),
        load_from=checkpoint,
        custom_hooks=[dict(type='mmrel.StrictLoadHook')],
        experiment_name='load_from',
    )
    runner.load_or_resume()
    _check(runner.model.backbone, trained)


def test_mmpretrains_transformers_are_resized_too(tmp_path: Path) -> None:
    sizes = dict(embed_dims=6, num_layers=1, num_heads=2, feedforward_channels=8)
    config = dict(type='VisionTransformer', arch=sizes, patch_size=4)
    trained, file = _build(config, img_size=16), tmp_path / 'mmpretrain.pth'
    nn.init.normal_(trained.pos_embed)
    torch.save(trained.state_dict(), file)
    pretrained = dict(type='mmrel.Pretrained', checkpoint=str(file))
    model = _build(config, img_size=24, init_cfg=[pretrained])
    model.init_weights()
    expected = resized_positions(trained.pos_embed.detach(), (4, 4), (6, 6))
    torch.testing.assert_close(model.pos_embed.detach(), expected, rtol=0, atol=1e-5)


def test_a_resumed_run_keeps_its_size(trained: nn.Module) -> None:
    runner = SimpleNamespace(
        model=_build(VIT, img_size=LARGE), resuming=True, _train_loop=None, _test_loop=None
    )
    with pytest.raises(RuntimeError, match=r'1 with a different shape: stem\.pos_embed \(model'):
        StrictLoadHook().after_load_checkpoint(runner, dict(state_dict=trained.state_dict()))


def test_another_width_is_another_network(checkpoint: str) -> None:
    model = _build(VIT, img_size=LARGE, embed_dims=8)
    with pytest.raises(RuntimeError, match='size mismatch'):
        model.load_state_dict(_build(VIT, img_size=SMALL).state_dict())
    with pytest.raises(RuntimeError, match=r'with a different shape: .*stem\.pos_embed'):
        load_weights(_Holder(model), checkpoint)


def test_copies_resize_too(trained: nn.Module) -> None:
    model = copy.deepcopy(_build(VIT, img_size=LARGE))
    model.load_state_dict(trained.state_dict())
    _check(model, trained)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(img_size=0), r'img_size=0 must be a positive integer, or two'),
        (dict(img_size=(16, 16, 3)), r'img_size=\(16, 16, 3\)'),
        (dict(interpolate_mode='nearest'), r"interpolate_mode='nearest' must be one of"),
        (dict(norm_cfg=dict(type='BN')), r"norm_cfg\.type='BN' normalizes maps, not tokens"),
        (dict(norm_cfg=dict(type='LN2d')), r"norm_cfg\.type='LN2d' normalizes maps"),
        (dict(blocks=[]), r'backbone\.blocks is empty'),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _build(VIT, **changes)


def test_norms_of_tokens() -> None:
    model = SearchedViT(6, VIT['blocks'], norm_cfg=dict(type='LN', eps=0.5))
    assert {m.eps for m in model.modules() if isinstance(m, nn.LayerNorm)} == {0.5}
