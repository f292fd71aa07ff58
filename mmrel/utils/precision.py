"""Upcast half precision."""

import torch
from torch import Tensor

__all__ = ['at_least_float32']


def at_least_float32(x: Tensor) -> Tensor:
    """Upcast half precision to float32; float32 and float64 pass through."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
