"""A scaled gradient by the chain rule."""

import pytest
import torch

from mmrel.models.layers import scale_gradient


@pytest.mark.parametrize('factor', [0.25, 0.0, 1.0, 0.9])
def test_values_stay_and_the_gradient_is_scaled(factor: float) -> None:
    x = torch.tensor([0.5, -3.0, 2.0], dtype=torch.float64, requires_grad=True)
    fixed = torch.tensor([7.0, 1.0, -1.0], dtype=torch.float64)
    y = scale_gradient(x, factor)
    torch.testing.assert_close(y, x)
    # x takes part a second time, where its gradient is not scaled.
    (y.square() * fixed + x).sum().backward()
    torch.testing.assert_close(x.grad, factor * 2 * x.detach() * fixed + 1)


def test_factors_0_and_1_do_not_round() -> None:
    x = torch.tensor([1e-40, 3.3333333, 1e38], requires_grad=True)
    assert scale_gradient(x, 1) is x
    stopped = scale_gradient(x, 0)
    assert torch.equal(stopped, x)
    assert not stopped.requires_grad
