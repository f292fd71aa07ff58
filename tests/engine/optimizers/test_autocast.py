"""bf16 autocast: a warning where the CPU would emulate it."""

import pytest
import torch
from torch import nn

from mmrel.engine import AutocastOptimWrapper
from mmrel.engine.optimizers import autocast


def _wrapper() -> AutocastOptimWrapper:
    return AutocastOptimWrapper(optimizer=torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1))


@pytest.mark.parametrize(
    ('machine', 'avx512', 'amx', 'warned'),
    [
        ('x86_64', False, False, True),
        ('x86_64', True, False, False),
        ('x86_64', False, True, False),
        ('x86_64', None, None, False),  # a torch that cannot tell
        ('arm64', False, False, False),
    ],
)
def test_a_cpu_without_bf16_is_named(
    machine: str,
    avx512: bool | None,
    amx: bool | None,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(autocast, 'print_log', lambda message, **_: lines.append(message))
    monkeypatch.setattr(autocast, 'get_device', lambda: 'cpu')
    monkeypatch.setattr(autocast.platform, 'machine', lambda: machine)
    for name, value in (('_is_avx512_bf16_supported', avx512), ('_is_amx_tile_supported', amx)):
        check = None if value is None else lambda value=value: value
        monkeypatch.setattr(torch.cpu, name, check, raising=False)
    _wrapper()
    assert bool(lines) is warned
    if warned:
        assert 'Leave out --amp' in lines[0]
