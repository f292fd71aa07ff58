"""The backbones for dense prediction: maps, frozen stages, norms, checkpointing."""

import copy
from itertools import chain

import pytest
import torch
from mmengine.registry import MODELS as ROOT
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from mmrel.registry import MODELS

CELL = dict(
    edge_0_1='conv3x3',
    edge_0_2='avgpool3x3',
    edge_1_2='none',
    edge_0_3='skip',
    edge_1_3='conv1x1',
    edge_2_3='conv3x3',
)


def _layer(out: int, stride: int, squeeze: int = 0, kernel: int = 3) -> dict:
    return dict(
        out_channels=out,
        hidden_channels=8,
        kernel_size=kernel,
        stride=stride,
        squeeze_channels=squeeze,
    )


CONFIGS = {
    'wide': dict(type='WideResNet', depth=10, widen_factor=1),
    'cell': dict(type='SearchedCellNetwork', cell=CELL, channels=4, cells=1),
    'mobile': dict(
        type='SearchedMobileNetV2',
        blocks=[None, _layer(8, 2, squeeze=2), _layer(8, 1), None, _layer(12, 1, kernel=5)],
        stem_channels=4,
        first_channels=4,
        last_channels=16,
    ),
    'vit': dict(
        type='SearchedViT',
        embed_dims=12,
        blocks=[
            dict(num_heads=2, qkv_dims=24, mlp_dims=20),
            None,
            dict(num_heads=3, qkv_dims=36, mlp_dims=8),
        ],
        img_size=16,
        patch_size=4,
        out_type='featmap',
    ),
    'resnet': dict(type='ResNetSmallImage', depth=18, stem_channels=4, base_channels=4),
}
# Channels and stride of each stage.
SIZES = {
    'wide': [(16, 1), (32, 2), (64, 4)],
    'cell': [(4, 1), (8, 2), (16, 4)],
    'mobile': [(4, 2), (8, 4), (12, 4), (16, 4)],
    'vit': [(12, 4)] * 3,
    'resnet': [(4, 1), (8, 2), (16, 4), (32, 8)],
}
# Prefixes of the keys of the stem and of each stage.
PARTS = {
    'wide': [['conv1'], ['stages.0'], ['stages.1'], ['stages.2', 'norm']],
    'cell': [
        ['stem', 'stem_norm'],
        ['stages.0'],
        ['reductions.0', 'stages.1'],
        ['reductions.1', 'stages.2', 'norm'],
    ],
    'mobile': [
        ['stem', 'stem_norm'],
        ['depthwise', 'depthwise_norm', 'project', 'project_norm', 'layers.0'],
        ['layers.1', 'layers.2', 'layers.3'],
        ['layers.4'],
        ['last', 'last_norm'],
    ],
    'vit': [['stem'], ['blocks.0'], ['blocks.1'], ['blocks.2', 'norm']],
    'resnet': [['conv1', 'bn1'], ['layer1'], ['layer2'], ['layer3'], ['layer4']],
}
# The layer whose output is the stage's output, if the stage ends with one.
LAYERS = {
    'wide': ['stages.0.0', 'stages.1.0'],
    'cell': ['stages.0.0', 'stages.1.0'],
    'mobile': ['project_norm', 'layers.2', 'layers.4'],
    'vit': [],
    'resnet': ['layer1', 'layer2', 'layer3', 'layer4'],
}
OURS = ['wide', 'cell', 'mobile', 'vit']

pytestmark = pytest.mark.usefixtures('mmrel_scope')
every = pytest.mark.parametrize('name', CONFIGS)
ours = pytest.mark.parametrize('name', OURS)


def _build(name: str, **changes) -> nn.Module:
    return MODELS.build(dict(copy.deepcopy(CONFIGS[name]), **changes))


def _in_part(key: str, prefixes: list[str]) -> bool:
    return any(f'{key}.'.startswith(f'{prefix}.') for prefix in prefixes)


def _norms(model: nn.Module) -> dict[str, nn.BatchNorm2d]:
    return {k: m for k, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}


def _step(model: nn.Module, seed: int = 1) -> list[Tensor]:
    """Forward and backward of a step in train mode."""
    torch.manual_seed(seed)
    model.train()
    outputs = model(torch.randn(4, 3, 16, 16))
    sum((x * torch.randn_like(x)).sum() for x in outputs).backward()
    return [x.detach() for x in outputs]


@every
@torch.no_grad()
def test_each_stage_gives_its_map(name: str) -> None:
    number = len(SIZES[name])
    default, model = _build(name), _build(name, out_indices=list(range(number)))
    some = _build(name, out_indices=(-1, 0))
    for network in (default, model, some):
        network.eval()
    model.load_state_dict(default.state_dict())  # strict: the keys are the same
    given = {}
    for layer in LAYERS[name]:
        model.get_submodule(layer).register_forward_hook(
            lambda module, args, out, layer=layer: given.update({layer: out})
        )
    image = torch.randn(2, 3, 18, 27)
    outputs = model(image)
    expected = [(2, c, -(-18 // s), -(-27 // s)) for c, s in SIZES[name]]
    assert [tuple(x.shape) for x in outputs] == expected
    if name in OURS:
        assert list(zip(model.out_channels, model.out_strides, strict=True)) == SIZES[name]
    for x, layer in zip(outputs, LAYERS[name], strict=False):
        assert torch.equal(x, given[layer])
    (last,) = default(image)
    assert torch.equal(outputs[-1], last)
    # Any order, negative indices, only some stages.
    some.load_state_dict(default.state_dict())
    for x, y in zip(some(image), (outputs[0], outputs[-1]), strict=True):
        assert torch.equal(x, y)


@ours
def test_stages_that_nobody_asks_for_cost_nothing(name: str) -> None:
    model = _build(name, out_indices=0)
    unused = [*chain(*PARTS[name][2:])]
    for prefix in unused:
        model.get_submodule(prefix).register_forward_hook(lambda *_: pytest.fail('it was computed'))
    _step(model)
    for key, parameter in model.named_parameters():
        assert parameter.requires_grad != _in_part(key, unused), key
        assert (parameter.grad is not None) == parameter.requires_grad, key
    assert model.state_dict().keys() == _build(name).state_dict().keys()


@pytest.mark.parametrize(('name', 'frozen'), [(k, i) for k in CONFIGS for i in (-1, 0, 2)])
def test_frozen_stages(name: str, frozen: int) -> None:
    model = _build(name, frozen_stages=frozen)
    still = [*chain(*PARTS[name][: frozen + 1])]
    before = copy.deepcopy(model.state_dict())
    _step(model)
    for key, parameter in model.named_parameters():
        assert parameter.requires_grad != _in_part(key, still), key
        assert (parameter.grad is None) == _in_part(key, still), key
    for key, norm in _norms(model).items():
        assert norm.training != _in_part(key, still), key
        same = torch.equal(norm.running_mean, before[f'{key}.running_mean'])
        assert same == _in_part(key, still), key
    model.eval()
    assert not any(module.training for module in model.modules())


@ours
def test_all_stages_frozen(name: str) -> None:
    model = _build(name, frozen_stages=len(SIZES[name])).train()
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in model.modules() if not list(module.children()))


@pytest.mark.parametrize('name', ['wide', 'cell', 'mobile', 'resnet'])
def test_norm_eval_keeps_the_statistics(name: str) -> None:
    model = _build(name, norm_eval=True)
    before = copy.deepcopy(model.state_dict())
    _step(model)
    for key, norm in _norms(model).items():
        assert not norm.training
        for statistic, value in norm.named_buffers():
            assert torch.equal(value, before[f'{key}.{statistic}'])
        assert norm.weight.grad is not None
    assert model.training


@ours
def test_with_cp_changes_neither_values_nor_gradients_nor_statistics(name: str) -> None:
    changes = dict(drop_path_rate=0.5) if name == 'vit' else {}
    plain = _build(name, **changes)
    plain.init_weights()
    saving = _build(name, **changes, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    calls = []
    block = dict(wide='stages.0.0', cell='stages.0.0', mobile='layers.2', vit='blocks.0')[name]
    saving.get_submodule(block).register_forward_pre_hook(lambda *_: calls.append(1))
    for x, y in zip(_step(plain), _step(saving), strict=True):
        assert torch.equal(x, y)
    for (key, x), y in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(x.grad, y.grad, msg=key)
    for (key, x), y in zip(plain.named_buffers(), saving.buffers(), strict=True):
        assert torch.equal(x, y), key
    assert len(calls) == 2
    saving.eval()(torch.randn(1, 3, 16, 16))
    assert len(calls) == 3


@pytest.mark.parametrize('name', ['wide', 'cell', 'mobile'])
@pytest.mark.parametrize(
    'norm_cfg',
    [
        dict(type='GN', num_groups=2),
        dict(type='SyncBN', momentum=0.01),
        dict(type='LN2d'),
        dict(type='BN', requires_grad=False),
    ],
    ids=lambda cfg: cfg['type'],
)
def test_norms_by_config(name: str, norm_cfg: dict) -> None:
    model = _build(name, norm_cfg=norm_cfg, out_indices=(0, -1))
    plain = _build(name)
    kinds = {
        type(model.get_submodule(key)).__name__
        for key, module in plain.named_modules()
        if isinstance(module, nn.BatchNorm2d)
    }
    expected = dict(GN='GroupNorm', LN2d='LayerNorm2d', BN='BatchNorm2d')
    assert kinds <= {expected.get(norm_cfg['type']), 'CpuSyncBatchNorm', 'SyncBatchNorm'}
    if norm_cfg['type'] == 'SyncBN':
        model.load_state_dict(plain.state_dict())
        assert model.get_submodule(next(iter(_norms(plain)))).momentum == 0.01
        return
    _step(model)
    for key, parameter in model.named_parameters():
        fixed = 'norm' in key and not norm_cfg.get('requires_grad', True)
        assert (parameter.grad is None) == fixed, key


@pytest.mark.parametrize('name', ['wide', 'cell', 'mobile'])
@pytest.mark.parametrize(
    ('norm_cfg', 'message'),
    [
        (dict(type='GN', num_groups=3), r'num_groups=3 must divide .*: use (16|4) or a divisor'),
        (dict(type='GN'), 'num_groups=None must divide'),
        (dict(type='LN'), "norm_cfg.type='LN' normalizes tokens, not maps"),
        (dict(momentum=0.1), 'must be a dict with a type'),
    ],
)
def test_norms_that_do_not_fit_are_refused(name: str, norm_cfg: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _build(name, norm_cfg=norm_cfg)


@every
@pytest.mark.parametrize('indices', [4, -5, (0, 4), (), (0, 0), (1, -2, 'a'), '0', None, (True,)])
def test_outputs_that_do_not_exist_are_refused(name: str, indices: object) -> None:
    if name == 'wide' and indices == (1, -2, 'a'):
        indices = (1, -2)  # the same stage twice, of three
    with pytest.raises(ValueError, match=r'backbone\.out_indices=.* different integers from -\d'):
        _build(name, out_indices=indices)


@every
@pytest.mark.parametrize('frozen', [-2, 5, 1.0, True, None])
def test_stages_that_do_not_exist_cannot_be_frozen(name: str, frozen: object) -> None:
    with pytest.raises(ValueError, match=r'backbone\.frozen_stages=.* must be an integer from -1'):
        _build(name, frozen_stages=frozen)


@every
def test_builds_from_another_package(name: str) -> None:
    """As mmseg and mmdet build it: from mmengine's registry, in their own scope."""
    init_default_scope('mmpretrain')
    config = copy.deepcopy(CONFIGS[name])
    model = ROOT.build(dict(config, type=f'mmrel.{config["type"]}', out_indices=(0, -1)))
    assert len(model(torch.randn(2, 3, 16, 16))) == 2


@ours
def test_a_pyramid_on_top_learns(name: str) -> None:
    changes = {} if name == 'vit' else dict(norm_eval=True)
    model = _build(name, out_indices=(0, 1, -1), frozen_stages=0, with_cp=True, **changes)
    model.init_weights()
    pyramid = FeaturePyramidNetwork(list(model.out_channels), 4)
    trained = [p for p in (*model.parameters(), *pyramid.parameters()) if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.01)
    image, losses = torch.randn(2, 3, 16, 16), []
    model.train()
    for _ in range(4):
        maps = pyramid(dict(enumerate(model(image))))
        assert [x.shape[1] for x in maps.values()] == [4] * 3
        loss = sum((x - 1).square().mean() for x in maps.values())
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    'name', ['vit', *(pytest.param(name, marks=pytest.mark.slow) for name in OURS[:3])]
)
def test_exports_with_a_free_batch(name: str) -> None:
    # Images of another size: the position embeddings are interpolated in the graph.
    model = _build(name, out_indices=(0, -1)).eval()
    size = (3, 24, 30)
    batch = torch.export.Dim('batch', min=1, max=64)
    program = torch.export.export(model, (torch.randn(2, *size),), dynamic_shapes=({0: batch},))
    for number in (1, 3):
        image = torch.randn(number, *size)
        for x, y in zip(program.module()(image), model(image), strict=True):
            torch.testing.assert_close(x, y)
