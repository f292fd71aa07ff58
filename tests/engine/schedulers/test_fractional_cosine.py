import math

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper

from mmrel.registry import PARAM_SCHEDULERS


def _optimizer() -> OptimWrapper:
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=lr) for lr in (0.03, 0.3)]
    return OptimWrapper(torch.optim.SGD(groups))


def _rates(scheduler, optimizer: OptimWrapper, steps: int) -> np.ndarray:
    """The rates of the two groups, (steps, 2)."""
    found = []
    for _ in range(steps):
        found.append([group['lr'] for group in optimizer.param_groups[:2]])
        scheduler.step()
    return np.array(found)


def _build(optimizer: OptimWrapper, **changes):
    cfg = dict(dict(type='FractionalCosineLR', T_max=16, by_epoch=False), **changes)
    return PARAM_SCHEDULERS.build(cfg, default_args=dict(optimizer=optimizer, epoch_length=4))


def test_is_its_formula_at_every_step() -> None:
    optimizer = _optimizer()
    for k, (low, high) in enumerate(_rates(_build(optimizer), optimizer, 16)):
        factor = math.cos(7 * math.pi * k / (16 * 16))
        assert low == pytest.approx(0.03 * factor, rel=1e-12)
        assert high == pytest.approx(0.3 * factor, rel=1e-12)


def test_by_epoch_is_the_same_curve_by_iteration() -> None:
    one, other = _optimizer(), _optimizer()
    converted = _build(one, T_max=4, begin=0, end=4, by_epoch=True, convert_to_iter_based=True)
    assert _rates(converted, one, 16) == pytest.approx(_rates(_build(other), other, 16))


def test_resumed_it_goes_on() -> None:
    one, other = _optimizer(), _optimizer()
    whole = _rates(_build(one), one, 16)
    first, second = _optimizer(), _build(other)
    before = _build(first)
    _rates(before, first, 7)
    second.load_state_dict(before.state_dict())
    for group, old in zip(other.param_groups, first.param_groups, strict=True):
        group['lr'] = old['lr']
    assert _rates(second, other, 9) == pytest.approx(whole[7:])


@pytest.mark.parametrize('change', [dict(T_max=0), dict(cycles=0), dict(cycles=0.6)])
def test_config_errors(change: dict) -> None:
    ((key, value),) = change.items()
    with pytest.raises(ValueError, match=rf'param_scheduler\.{key}={value}'):
        _build(_optimizer(), **change)
