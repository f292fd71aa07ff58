import pytest
import torch
from torch import nn

from mmrel.models.backbones import WideResNet


@pytest.mark.parametrize(
    ('depth', 'widen_factor', 'millions'), [(40, 4, 8.9), (16, 8, 11.0), (28, 10, 36.5)]
)
def test_has_as_many_parameters_as_the_paper_says(
    depth: int, widen_factor: int, millions: float
) -> None:
    """WRN's paper counts them with a classifier of 10 classes."""
    network = WideResNet(depth, widen_factor)
    number = sum(p.numel() for p in network.parameters()) + (64 * widen_factor + 1) * 10
    assert number / 1e6 == pytest.approx(millions, abs=0.06)


def test_gives_one_map_at_a_quarter_of_the_size() -> None:
    (out,) = WideResNet(10, 2)(torch.randn(2, 3, 32, 32))
    assert out.shape == (2, 128, 8, 8)


def test_a_block_is_pre_activated_and_its_branch_adds_to_the_input() -> None:
    network = WideResNet(10, 1, negative_slope=0.0).eval()
    block = network.stages[0][0]
    assert block.shortcut is None
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 16, 8, 8)
    torch.testing.assert_close(block(x), x)
    down = network.stages[1][0]
    nn.init.zeros_(down.conv2.weight)
    rectified = torch.relu(down.norm1(x))
    torch.testing.assert_close(down(x), down.shortcut(rectified))


def test_starts_with_kaiming_and_fixmatchs_norms() -> None:
    torch.manual_seed(0)
    network = WideResNet(28, 2)
    network.init_weights()
    weight = network.stages[2][3].conv2.weight
    expected = (2 / ((1 + 0.1**2) * 128 * 9)) ** 0.5  # fan out, leaky ReLU 0.1
    assert weight.std().item() == pytest.approx(expected, rel=0.02)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(m.momentum, m.eps) for m in norms} == {(0.001, 0.001)}
    assert len(norms) == 2 * 12 + 1


def test_norms_by_config() -> None:
    network = WideResNet(10, 1, norm_cfg=dict(type='GN', num_groups=4))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    assert network(torch.randn(1, 3, 32, 32))[0].isfinite().all()


@pytest.mark.parametrize('change', [dict(depth=27), dict(depth=4), dict(depth=28, widen_factor=0)])
def test_config_errors(change: dict) -> None:
    key, value = list(change.items())[-1]
    with pytest.raises(ValueError, match=rf'backbone\.{key}={value}'):
        WideResNet(**change)
