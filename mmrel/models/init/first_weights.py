"""Build networks without initializing weights, to inspect only their structure."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# Some functions of torch.nn.init come here themselves, and then without the operations in them.
_INITS = ('normal', 'uniform', 'trunc_normal', 'kaiming_normal', 'kaiming_uniform')
_RANDOM = {torch.Tensor.normal_, torch.Tensor.uniform_}
_RANDOM |= {getattr(nn.init, f'{name}_') for name in _INITS}
# Other in-place operations of an initialization.
_OF_WEIGHTS = {getattr(torch.Tensor, f'{name}_') for name in ('erfinv', 'mul', 'add', 'clamp')}
_OF_WEIGHTS |= {torch.Tensor.fill_, torch.Tensor.zero_, nn.init.constant_}


class NoFirstWeights(TorchFunctionMode):
    """Skip the initialization of parameters; buffers and settings get their values.

    This makes building a large network several times faster. The meta device does not
    work here: some constructors read values of the tensors that they create.

    Example:
        >>> with NoFirstWeights():
        ...     layer = torch.nn.Linear(1000, 1000)
    """

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Skip operations that initialize a weight."""
        kwargs = kwargs or {}
        if function in _RANDOM or function in _OF_WEIGHTS:
            tensor = args[0] if args else kwargs['tensor']
            if function in _RANDOM or isinstance(tensor, nn.Parameter):
                return tensor
        return function(*args, **kwargs)
