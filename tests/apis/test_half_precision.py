"""Types that a device lacks are refused, with a type that it has."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from mmrel.apis.half_precision import usable_dtype

CPU = torch.device('cpu')


def test_types_that_do_not_exist_or_that_a_device_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"dtype='half' must be one of float32, bfloat16, float16"):
        usable_dtype('half', CPU)
    assert usable_dtype('bfloat16', CPU) is torch.bfloat16

    def lacks(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError('"conv" not implemented for Half\nand more lines')

    monkeypatch.setattr(nn.Conv2d, 'forward', lacks)
    message = r"^dtype='float16' cannot be used on 'cpu' \(.*not implemented.*\): use 'bfloat16'$"
    with pytest.raises(ValueError, match=message):
        usable_dtype('float16', CPU)
    with pytest.raises(ValueError, match=r"dtype='bfloat16' cannot be used .*: use 'float32'$"):
        usable_dtype('bfloat16', CPU)
    assert usable_dtype('float32', CPU) is torch.float32


@pytest.mark.parametrize(
    ('warns', 'reason'), [(True, 'disabling'), (False, 'it computes in torch.fl')]
)
def test_an_autocast_that_does_nothing_is_a_lack(
    warns: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_float32(self: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        if warns:  # as torch does, which then goes on without autocast
            warnings.warn('float16 is not supported: disabling autocast', stacklevel=1)
        with torch.autocast('cpu', enabled=False):
            return nn.functional.linear(x.float(), self.weight, self.bias)

    monkeypatch.setattr(nn.Linear, 'forward', in_float32)
    with pytest.raises(ValueError, match=rf"dtype='float16' cannot be used .*{reason}.*bfloat16'$"):
        usable_dtype('float16', CPU)
