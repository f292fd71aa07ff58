"""The simplex-net against plain arithmetic."""

import pytest
import torch

from mmrel.models.layers import SimplexNet


def test_codes_are_on_the_simplex() -> None:
    net = SimplexNet(4, 10, 3)
    codes = net(torch.randn(50, 10) * 30, torch.rand(50, 3))
    assert codes.dtype == torch.float32
    assert (codes >= 0).all()
    torch.testing.assert_close(codes.sum(1), torch.ones(50))


def test_both_branches_are_added_before_the_relu() -> None:
    net = SimplexNet(4, 10, 3).double()
    one, two = torch.randn(5, 10).double(), torch.rand(5, 3).double()
    hidden = net.architecture.weight @ one.T + net.widths.weight @ two.T
    hidden = (hidden.T + net.architecture.bias + net.widths.bias).clamp(min=0)
    expected = (hidden @ net.out.weight.T + net.out.bias).exp()
    torch.testing.assert_close(net(one, two), expected / expected.sum(1, keepdim=True))
    assert SimplexNet(4, 10).widths is None


def test_codes_are_computed_in_full_precision_under_autocast() -> None:
    net, one, two = SimplexNet(4, 10, 3), torch.eye(10)[:5], torch.rand(5, 3)
    with torch.autocast('cpu', torch.bfloat16):
        codes = net(one, two.bfloat16())
    assert torch.equal(codes, net(one, two.bfloat16().float()))


def test_a_network_without_hidden_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r'simplex_net\.hidden_channels=0 must be at least 1'):
        SimplexNet(2, 3, hidden_channels=0)


def test_sharper_codes_differ_more() -> None:
    one_hot = torch.eye(40)
    spreads = []
    for sharpness in (1.0, 4.0, 16.0):
        torch.manual_seed(0)
        net = SimplexNet(4, 40, sharpness=sharpness)
        spreads.append(net(one_hot, torch.zeros(40, 0)).std(0).mean().item())
    assert spreads[0] < spreads[1] / 2 < spreads[2] / 3
