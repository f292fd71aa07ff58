"""Compute losses and similarities in at least float32, even under autocast."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmrel.utils.precision import at_least_float32

__all__ = ['at_least_float32', 'full_precision']


def full_precision(function: Callable) -> Callable:
    """Run a function without autocast, with half-precision arguments upcast.

    Under autocast a matrix product over a large memory would run in half precision,
    and a softmax could underflow.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
        device = tensors[0].device.type if tensors else 'cpu'
        with torch.autocast(device, enabled=False):
            return function(
                *(at_least_float32(a) if isinstance(a, Tensor) else a for a in args),
                **{
                    k: at_least_float32(v) if isinstance(v, Tensor) else v
                    for k, v in kwargs.items()
                },
            )

    return wrapped
