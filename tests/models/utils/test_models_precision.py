"""Half precision and autocast do not reach inside a function in full precision."""

import pytest
import torch
from torch import Tensor

from mmrel.models.utils import full_precision


@full_precision
def _product(x: Tensor, y: Tensor, name: str = '', shift: Tensor | None = None) -> tuple:
    """A product."""
    out = x @ y.T
    return name, out if shift is None else out + shift


def test_a_product_under_autocast_is_that_without() -> None:
    x, y = torch.randn(3, 40), torch.randn(5, 40)
    plain = x @ y.T
    with torch.autocast('cpu', torch.bfloat16):
        _, inside = _product(x, y)
        around = x @ y.T
    assert torch.equal(inside, plain)
    assert around.dtype == torch.bfloat16  # autocast goes on after the call


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_tensors_in_half_precision_are_upcast(dtype: torch.dtype) -> None:
    x, y, shift = (torch.randn(shape).to(dtype) for shape in ((3, 40), (5, 40), (5,)))
    name, out = _product(x, y=y, name='kept', shift=shift)
    assert name == 'kept'
    assert torch.equal(out, x.float() @ y.float().T + shift.float())


def test_float64_stays_and_gradients_flow_in_the_arguments_type() -> None:
    x = torch.randn(3, 4, dtype=torch.float64)
    assert _product(x, x)[1].dtype == torch.float64
    half = torch.ones(2, 4, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        _product(half, torch.full((1, 4), 0.5))[1].sum().backward()
    assert half.grad.dtype == torch.bfloat16
    assert half.grad.tolist() == [[0.5] * 4] * 2


def test_a_wrapped_function_keeps_its_name_and_text() -> None:
    assert (_product.__name__, _product.__doc__) == ('_product', 'A product.')
