import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmrel.engine.hooks import ChannelsLastHook
from mmrel.engine.hooks.channels_last_hook import _unsafe_convolutions
from mmrel.models.supernets import KShotSupernet
from mmrel.registry import MODELS
from mmrel.spaces import NASBench201Space


class Preprocessor(nn.Module):
    def forward(self, data: dict) -> dict:
        return data


def network(channels: int, stride: int) -> nn.Module:
    model = nn.Sequential(nn.Conv2d(3, channels, 3), nn.Conv2d(channels, 16, 1, stride))
    model.data_preprocessor = Preprocessor()
    return model


@pytest.mark.parametrize(
    ('channels', 'stride', 'converted'), [(8, 2, True), (4, 1, True), (4, 2, False)]
)
def test_layout(
    channels: int, stride: int, converted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('mmrel.engine.hooks.channels_last_hook.get_device', lambda: 'cpu')
    model = network(channels, stride)
    logger = logging.getLogger('test_layout')
    ChannelsLastHook().before_run(SimpleNamespace(model=model, logger=logger))
    layout = dict(memory_format=torch.channels_last)
    assert model[0].weight.is_contiguous(**layout) is converted
    inputs = model.data_preprocessor(dict(inputs=torch.zeros(2, 3, 8, 8)))['inputs']
    assert inputs.is_contiguous(**layout) is converted


class StridedCells(NASBench201Space):
    """Its networks have 1x1 convolutions with stride 2, of `channels` inputs."""

    def subnet(self, path: dict) -> dict:
        return dict(backbone=dict(type='Strided', channels=self.channels), head=dict(in_channels=1))


@pytest.mark.parametrize(('channels', 'found'), [(4, ['conv']), (8, [])])
def test_the_networks_of_a_supernet_are_checked(
    channels: int, found: list[str], monkeypatch: pytest.MonkeyPatch, mmrel_scope: None
) -> None:
    class Strided(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(channels, 8, 1, 2)

    monkeypatch.setitem(MODELS.module_dict, 'Strided', Strided)
    model = nn.Sequential(KShotSupernet(StridedCells(channels=channels), 2))
    assert sorted(set(_unsafe_convolutions(model))) == found
