"""Mixtures of K weights against explicit sums and torch's own layers."""

import pytest
import torch
from torch import nn

from mmrel.models.layers import SimplexNet, StackedLayer, mix

K = 3
CODE = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


def test_a_mixture_is_the_weighted_sum() -> None:
    theta = torch.randn(K, 4, 3, 5, dtype=torch.float64)
    expected = 0.2 * theta[0] + 0.5 * theta[1] + 0.3 * theta[2]
    torch.testing.assert_close(mix(theta, CODE), expected)
    # Also of a slice.
    torch.testing.assert_close(mix(theta[:, :2, :, :1], CODE), expected[:2, :, :1])


def test_gradients_agree_with_finite_differences() -> None:
    """To all weights and, through the code, to the simplex-net."""
    theta = torch.randn(K, 2, 3, dtype=torch.float64, requires_grad=True)
    simplex = SimplexNet(K, 6, 2, hidden_channels=4).double()
    one_hot = torch.eye(6, dtype=torch.float64)[1:2]
    widths = torch.tensor([[0.4, 1.0]], dtype=torch.float64)

    def run(theta: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return mix(theta[:, :, :2], simplex(one_hot, widths)[0]).tanh()

    assert torch.autograd.gradcheck(run, (theta, *simplex.parameters()))
    run(theta).sum().backward()
    assert simplex.out.weight.grad.abs().max() > 0
    assert (theta.grad[:, :, 2:] == 0).all()


def test_one_weight_is_not_copied() -> None:
    one = torch.randn(1, 4, 3)
    assert mix(one, CODE[:1]).data_ptr() == one.data_ptr()


@pytest.mark.parametrize(
    'layer',
    [lambda: nn.Conv2d(3, 4, 3, bias=False), lambda: nn.Linear(3, 4), lambda: nn.BatchNorm2d(3)],
)
def test_stacked_parameters_are_those_of_k_layers(layer: object) -> None:
    torch.manual_seed(3)
    plain = [layer().state_dict() for _ in range(K)]
    torch.manual_seed(3)
    with torch.device('meta'):
        given = layer()
    stacked = StackedLayer(K, given)
    assert stacked.state_dict().keys() == plain[0].keys()
    for name, parameter in stacked.named_parameters():
        assert torch.equal(parameter, torch.stack([state[name] for state in plain])), name
    for name, buffer in stacked.named_buffers():
        assert torch.equal(buffer, plain[0][name]), name


def test_weights_are_mixed_in_full_precision_under_autocast() -> None:
    theta, code = torch.randn(K, 50), CODE.float()
    with torch.autocast('cpu', torch.bfloat16):
        mixed = mix(theta, code)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, mix(theta, code))


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match='k=0'):
        StackedLayer(0, nn.Linear(2, 2))


def test_layers_that_cannot_be_stacked_are_named() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gamma = nn.Parameter(torch.ones(3))

    with pytest.raises(TypeError, match=r'Scale has .* no reset_parameters\(\)'):
        StackedLayer(K, Scale())
    norm = nn.BatchNorm2d(3)
    norm.register_buffer('table', torch.ones(3))
    with pytest.raises(TypeError, match=r"BatchNorm2d has the buffers \['table'\]"):
        StackedLayer(K, norm)
