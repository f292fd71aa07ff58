"""K-shot layers against explicit combinations, finite differences and torch's own layers."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrel.models.layers import (
    KShotBatchNorm2d,
    KShotConv2d,
    KShotLinear,
    PathStatistics,
    SimplexNet,
    mix,
)

K = 3
CODE = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


def _sum(theta: Tensor, *sizes: int) -> Tensor:
    """The convex combination written out, sliced after mixing."""
    total = CODE[0] * theta[0] + CODE[1] * theta[1] + CODE[2] * theta[2]
    return total[tuple(slice(0, size) for size in sizes)]


def _images(channels: int) -> Tensor:
    return torch.randn(4, channels, 6, 6, dtype=torch.float64)


@pytest.mark.parametrize(('channels', 'out'), [(5, 7), (3, 7), (5, 4), (2, 1)])
@pytest.mark.parametrize(('kernel', 'stride'), [(1, 1), (3, 1), (5, 2)])
def test_convolution(channels: int, out: int, kernel: int, stride: int) -> None:
    layer, x = KShotConv2d(K, 5, 7, kernel, stride).double(), _images(channels)
    expected = F.conv2d(x, _sum(layer.weight, out, channels), None, stride, kernel // 2)
    torch.testing.assert_close(layer(x, CODE, out), expected)


@pytest.mark.parametrize('channels', [5, 2])
def test_depthwise_convolution(channels: int) -> None:
    layer, x = KShotConv2d(K, 5, 5, 3, 2, depthwise=True).double(), _images(channels)
    weight = _sum(layer.weight, channels)
    torch.testing.assert_close(layer(x, CODE), F.conv2d(x, weight, None, 2, 1, 1, channels))


@pytest.mark.parametrize(('channels', 'out'), [(5, 7), (3, 4)])
def test_linear(channels: int, out: int) -> None:
    layer, x = KShotLinear(K, 5, 7).double(), _images(channels).mean((2, 3))
    expected = F.linear(x, _sum(layer.weight, out, channels), _sum(layer.bias, out))
    torch.testing.assert_close(layer(x, CODE, out), expected)


@pytest.mark.parametrize('channels', [5, 2])
@pytest.mark.parametrize('training', [True, False])
def test_batch_norm(channels: int, training: bool) -> None:
    layer, x = KShotBatchNorm2d(K, 5).double().train(training), _images(channels)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    plain = nn.BatchNorm2d(channels).double().train(training)
    plain.weight.data, plain.bias.data = _sum(layer.weight, channels), _sum(layer.bias, channels)
    for _ in range(3):
        torch.testing.assert_close(layer(x, CODE), plain(x))
    torch.testing.assert_close(layer.running_var[:channels], plain.running_var)
    assert (layer.running_mean[channels:] == 0).all()


def test_gradients_agree_with_finite_differences() -> None:
    """To every dictionary, to the simplex-net and to the input, through all layers."""
    conv = KShotConv2d(K, 3, 4, 3).double()
    depth = KShotConv2d(K, 4, 4, 3, depthwise=True).double()
    norm, linear = KShotBatchNorm2d(K, 4).double(), KShotLinear(K, 4, 5).double()
    simplex = SimplexNet(K, 6, 2, hidden_channels=4).double()
    x = torch.randn(3, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    one_hot = torch.eye(6, dtype=torch.float64)[1:2]
    widths = torch.tensor([[0.4, 1.0]], dtype=torch.float64)
    modules = (conv, depth, norm, linear, simplex)
    parameters = [p for module in modules for p in module.parameters()]

    def run(x: Tensor, *_: Tensor) -> Tensor:
        code = simplex(one_hot, widths)[0]
        out = norm(depth(conv(x, code, 3), code), code).tanh()
        return linear(out.mean((2, 3)), code, 4)

    assert torch.autograd.gradcheck(run, (x, *parameters))
    run(x).sum().backward()
    assert simplex.out.weight.grad.abs().max() > 0
    # Unused channels have no gradient.
    assert (conv.weight.grad[:, 3:] == 0).all()
    assert (conv.weight.grad[:, :, 2:] == 0).all()


@pytest.mark.parametrize('training', [True, False])
def test_one_weight_is_the_ordinary_layer_bit_for_bit(training: bool) -> None:
    torch.manual_seed(3)
    ours = KShotConv2d(1, 3, 8, 3, 2), KShotBatchNorm2d(1, 8), KShotLinear(1, 8, 4)
    torch.manual_seed(3)
    conv = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
    plain = nn.Sequential(conv, nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4)).train(training)
    ours[1].train(training)
    code, x = torch.ones(1), torch.randn(6, 3, 2, 2)
    out = ours[2](ours[1](ours[0](x, code), code).flatten(1), code)
    assert torch.equal(out, plain(x))
    out.square().sum().backward()
    plain(x).square().sum().backward()
    pairs = zip((p for layer in ours for p in layer.parameters()), plain.parameters(), strict=True)
    for mine, theirs in pairs:
        assert torch.equal(mine[0], theirs)
        assert torch.equal(mine.grad[0], theirs.grad)


def test_without_a_cut_theta_is_neither_cut_nor_copied() -> None:
    weight = KShotConv2d(K, 3, 4, 3).weight
    whole, part = (weight[:, :4, :channels].reshape(K, -1).data_ptr() for channels in (3, 2))
    assert whole == weight.data_ptr()
    assert part != weight.data_ptr()
    one = KShotConv2d(1, 3, 4, 3).weight
    assert mix(one, CODE[:1]).data_ptr() == one.data_ptr()


def test_weights_are_mixed_in_full_precision_under_autocast() -> None:
    theta, code = torch.randn(K, 50), CODE.float()
    with torch.autocast('cpu', torch.bfloat16):
        mixed = mix(theta, code)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, mix(theta, code))


def test_recorded_statistics_are_those_of_a_norm_without_momentum() -> None:
    layer, plain = KShotBatchNorm2d(K, 5), nn.BatchNorm2d(3, momentum=None)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    statistics, code = PathStatistics(), CODE.float()
    batches = [torch.randn(4, 3, 6, 6) * scale + scale for scale in (1, 2, 3)]
    for batch in batches:
        recorded = layer.eval()(batch, code, statistics.next_batch())
        torch.testing.assert_close(recorded, plain(batch))
    torch.testing.assert_close(
        layer(batches[0], code, statistics.finish()), plain.eval()(batches[0])
    )
    for key, value in layer.state_dict().items():
        assert torch.equal(value, before[key]), key
    with pytest.raises(KeyError, match='another path'):
        KShotBatchNorm2d(K, 5)(batches[0], code, statistics)
    with pytest.raises(ValueError, match='at least one'):
        PathStatistics().finish()


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


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match='k=0'):
        KShotLinear(0, 2, 2)
    with pytest.raises(ValueError, match='hidden_channels=0'):
        SimplexNet(2, 3, hidden_channels=0)
