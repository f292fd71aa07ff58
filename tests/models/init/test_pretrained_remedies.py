"""Which remedy a difference gets, on networks of one or two layers."""

import pytest
import torch
from torch import Tensor, nn

from mmrel.models.init.pretrained_remedies import left_in_parts, other_settings, remedy
from mmrel.utils.state_dict import StateDictDifference, compare_state_dict


def _network(**parts: nn.Module) -> nn.Module:
    return nn.ModuleDict(parts)


def _remedy(
    module: nn.Module, checkpoint: dict[str, Tensor], prefix: str | None = None, **backbone: object
) -> str:
    start = f'{prefix}.' if prefix else ''
    given = {k.removeprefix(start): v for k, v in checkpoint.items() if k.startswith(start)}
    difference = compare_state_dict(module.state_dict(), given)
    return remedy(module, checkpoint, prefix, difference, dict(backbone=backbone or None))


@pytest.mark.parametrize(
    ('stored', 'configured', 'expected'),
    [
        ('backbone.', None, "set prefix='backbone.' in init_cfg"),
        ('backbone.', 'encoder', "set prefix='backbone.' in init_cfg"),
        ('teacher.backbone.', 'backbone', "set prefix='teacher.backbone.' in init_cfg"),
        ('', 'backbone', 'remove prefix from init_cfg'),
        ('backbone.', 'backbone', ''),
        ('', None, ''),
    ],
)
def test_the_prefix_under_which_all_weights_fit(
    stored: str, configured: str | None, expected: str
) -> None:
    module = _network(conv1=nn.Conv2d(3, 4, 3), bn1=nn.BatchNorm2d(4))
    # Old checkpoints lack this buffer.
    state = {k: v for k, v in module.state_dict().items() if 'num_batches' not in k}
    checkpoint = {f'{stored}{key}': value for key, value in state.items()}
    # It also ends with the first key, but nothing else is there.
    checkpoint = {'neck.conv1.weight': torch.ones(4, 3, 3, 3), **checkpoint}
    assert _remedy(module, checkpoint, configured) == expected


def _norm(module: nn.Module) -> nn.Module:
    return _network(conv1=nn.Conv2d(3, 4, 3), bn1=module)


@pytest.mark.parametrize(
    ('ours', 'theirs', 'expected'),
    [
        (
            _network(stem=nn.Sequential(nn.Conv2d(3, 4, 3))),
            _network(conv1=nn.Conv2d(3, 4, 7)),
            'this backbone has a deep stem',
        ),
        (
            _norm(nn.GroupNorm(2, 4)),
            _norm(nn.BatchNorm2d(4)),
            "the file has batch norms, this backbone another norm: use norm_cfg=dict(type='BN')",
        ),
        (
            _norm(nn.BatchNorm2d(4)),
            _norm(nn.GroupNorm(2, 4)),
            'this backbone has batch norms, the file another norm: use its norm_cfg',
        ),
        (
            _network(conv1=nn.Conv2d(3, 4, 3)),
            _network(conv1=nn.Conv2d(3, 4, 7)),
            'the stems differ: a 3x3 stem is for small images',
        ),
        (
            _network(layer1=_network(expand_conv=nn.Linear(2, 2))),
            _network(layer1=_network(conv=nn.Sequential(_network(conv=nn.Linear(2, 2))))),
            "the keys are from mmpretrain's MobileNetV2",
        ),
        # Batch norms on both sides, in other places: nothing is known.
        (
            _network(conv1=nn.Conv2d(3, 4, 3), bn1=nn.BatchNorm2d(4)),
            _network(conv1=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4)),
            '',
        ),
    ],
    ids=['deep stem', 'ours without BN', 'file without BN', 'stem size', 'mmdet', 'unknown'],
)
def test_each_known_difference_has_its_remedy(
    ours: nn.Module, theirs: nn.Module, expected: str
) -> None:
    found = _remedy(ours, theirs.state_dict())
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_the_recorded_backbone_is_named_and_shortened() -> None:
    module = _network(conv1=nn.Conv2d(3, 4, 3))
    other = _network(layer1=nn.Linear(2, 2)).state_dict()
    assert _remedy(module, other, type='ResNet', depth=50) == (
        "the file is from backbone=dict(type='mmrel.ResNet', depth=50)"
    )
    found = _remedy(module, other, type='ResNet', strides=[1] * 500)
    assert found.endswith('1, 1, ...)')
    assert len(found) == len('the file is from backbone=dict(') + 300 + len('...)')
    # Where all weights fit, the record says nothing about the reason.
    assert _remedy(module, module.state_dict(), type='ResNet', depth=50) == ''


def test_only_extra_layers_of_a_part_are_left_over() -> None:
    module = _network(layer1=nn.Sequential(nn.Linear(2, 2)), layer2=nn.Linear(2, 2))
    difference = StateDictDifference(
        unexpected=['layer1.1.weight', 'layer3.0.weight', 'layer10.weight', 'layer2.conv.weight']
    )
    assert left_in_parts(module, difference) == ['layer1.1.weight', 'layer2.conv.weight']


def test_the_style_matters_only_with_bottlenecks() -> None:
    bottleneck = _network(layer1=_network(conv3=nn.Conv2d(2, 2, 1)))
    basic = _network(layer1=_network(conv2=nn.Conv2d(2, 2, 1)))
    bottleneck.style = basic.style = 'caffe'
    message = other_settings(bottleneck, dict(backbone=dict(type='ResNet')))
    assert "backbone has style='pytorch', this one has style='caffe'" in message
    assert "set style='pytorch'" in message
    for module, network in (
        (basic, dict(backbone=dict(type='ResNet'))),
        (bottleneck, dict(backbone=dict(type='ResNet', style='caffe'))),
        (bottleneck, {}),
    ):
        assert other_settings(module, network) == ''
