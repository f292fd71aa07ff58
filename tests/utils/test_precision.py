"""Half precision is computed in float32, all else as it is."""

import pytest
import torch

from mmrel.utils.precision import at_least_float32


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32_with_its_values_and_gradient(dtype: torch.dtype) -> None:
    x = torch.tensor([0.1, -3.0, 60000.0], dtype=dtype, requires_grad=True)
    y = at_least_float32(x)
    assert y.dtype == torch.float32
    assert y.tolist() == x.tolist()
    y.square().sum().backward()  # 60000 squared is infinite in float16
    assert x.grad.dtype == dtype
    assert x.grad[1] == -6


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.complex64, torch.int64])
def test_other_types_are_not_even_copied(dtype: torch.dtype) -> None:
    x = torch.ones(2, dtype=dtype)
    assert at_least_float32(x) is x
