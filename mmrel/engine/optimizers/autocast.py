"""Mixed precision without a loss scaler, on any device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from mmrel.registry import OPTIM_WRAPPERS

_DTYPES = dict(bfloat16=torch.bfloat16)


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Forward under bf16 autocast; weights, gradients and optimizer state in float32.

    mmengine's ``AmpOptimWrapper`` needs an accelerator and a loss scaler. bf16 has
    the range of float32, so this one needs neither. For float16 use mmengine's.

    Args:
        dtype (str): Must be 'bfloat16'. Defaults to 'bfloat16'.
        **kwargs: Passed to ``OptimWrapper``.

    Raises:
        ValueError: If ``dtype`` is not 'bfloat16'.
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs: Any) -> None:
        if dtype not in _DTYPES:
            raise ValueError(
                f"optim_wrapper.dtype={dtype!r} is not supported: use 'bfloat16', or mmengine's "
                "type='AmpOptimWrapper' for float16"
            )
        super().__init__(**kwargs)
        self.dtype = _DTYPES[dtype]

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of a forward pass."""
        with super().optim_context(model), torch.autocast(get_device(), self.dtype):
            yield
