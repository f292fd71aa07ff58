"""ResNet with a small stem against mmpretrain's networks with the same weights."""

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models.backbones import ResNet, ResNet_CIFAR
from torch import nn

from mmrel.models.backbones import ResNetSmallImage

SIZES = dict(stem_channels=3, base_channels=3)


def _trained(model: nn.Module) -> nn.Module:
    # mmpretrain's eval() returns None.
    for value in model.state_dict().values():
        if value.is_floating_point():
            nn.init.uniform_(value, 0.1, 0.3)
    nn.init.normal_(model.conv1.weight)
    model.eval()
    return model


@torch.no_grad()
def test_without_max_pool_it_is_the_network_for_cifar() -> None:
    model = _trained(ResNetSmallImage(18, **SIZES, out_indices=(0, -1)))
    reference = ResNet_CIFAR(18, deep_stem=False, **SIZES, out_indices=(0, 3))
    reference.load_state_dict(model.state_dict())  # strict
    reference.eval()
    image = torch.randn(2, 3, 16, 16)
    outputs = model(image)
    assert [x.shape[-1] for x in outputs] == [16, 2]
    for x, y in zip(outputs, reference(image), strict=True):
        torch.testing.assert_close(x, y)


@torch.no_grad()
def test_with_max_pool_only_the_first_convolution_is_another() -> None:
    """An ordinary ResNet that gets the 3x3 convolution in the middle of its 7x7 one."""
    model = _trained(ResNetSmallImage(18, max_pool=True, **SIZES, out_indices=0))
    plain = ResNet(18, **SIZES, out_indices=(0,))
    state = model.state_dict()
    plain.load_state_dict(dict(state, **{'conv1.weight': F.pad(state['conv1.weight'], [2] * 4)}))
    plain.conv1.stride = (1, 1)
    plain.eval()
    image = torch.randn(2, 3, 18, 20)
    (x,), (y,) = model(image), plain(image)
    assert x.shape == (2, 3, 9, 10)
    torch.testing.assert_close(x, y)


def test_its_stages_are_counted_with_num_stages() -> None:
    with pytest.raises(ValueError, match=r'backbone\.out_indices=.*-2 to 1'):
        ResNetSmallImage(18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=2)
    with pytest.raises(ValueError, match=r'backbone\.frozen_stages=3 must be an integer from -1'):
        ResNetSmallImage(18, num_stages=2, strides=(1, 2), dilations=(1, 1), frozen_stages=3)
