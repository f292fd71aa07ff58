"""Mixed precision without a loss scaler, on any device."""

import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import nn

from mmrel.registry import OPTIM_WRAPPERS


def _cpu_has_bf16() -> bool:
    """Whether torch finds AVX-512 BF16 or AMX; True if it cannot tell, as on ARM."""
    if platform.machine() not in ('x86_64', 'AMD64'):
        return True
    names = '_is_avx512_bf16_supported', '_is_amx_tile_supported'
    checks = [getattr(torch.cpu, name, None) for name in names]
    return None in checks or any(check() for check in checks if check)


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Forward under bf16 autocast; weights, gradients and optimizer state in float32.

    mmengine's ``AmpOptimWrapper`` needs an accelerator and a loss scaler. bf16 has
    the range of float32, so this one needs neither. For float16 use mmengine's.

    Args:
        **kwargs: Passed to ``OptimWrapper``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if get_device() == 'cpu' and not _cpu_has_bf16():
            print_log(
                'This CPU has no bf16 instructions: torch emulates them, which can be several '
                'times slower than float32. Leave out --amp (optim_wrapper.type=OptimWrapper)',
                logger='current',
                level=logging.WARNING,
            )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of a forward pass."""
        with super().optim_context(model), torch.autocast(get_device(), torch.bfloat16):
            yield
