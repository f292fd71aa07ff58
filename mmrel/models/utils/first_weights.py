"""Networks without their first weights, for those who look at the structure alone."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

_RANDOM = {torch.Tensor.normal_, torch.Tensor.uniform_, torch.nn.init.trunc_normal_}
# What the rest of an initialization does with a weight.
_OF_WEIGHTS = {getattr(torch.Tensor, f'{name}_') for name in ('erfinv', 'mul', 'add', 'clamp')}
_OF_WEIGHTS |= {torch.Tensor.fill_, torch.Tensor.zero_, torch.Tensor.clamp_}


class NoFirstWeights(TorchFunctionMode):
    """Leave parameters as they were allocated; buffers and settings get their values.

    It makes building a large network several times faster. Not the meta device: some
    constructors read values of tensors that they make.

    Example:
        >>> with NoFirstWeights():
        ...     layer = torch.nn.Linear(1000, 1000)
    """

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Leave out what would give a weight its first value."""
        skipped = function in _RANDOM or (
            function in _OF_WEIGHTS and isinstance(args[0], nn.Parameter)
        )
        return args[0] if skipped else function(*args, **(kwargs or {}))
