import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn

from mmrel.engine import LARS
from mmrel.utils import load_checkpoint_file


def _model() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Linear(7, 3, bias=False))
    return model.double()


def _gradients(model: nn.Module, step: int) -> None:
    torch.manual_seed(step)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)


def _slow_step(w, g, buffer, lr, momentum, decay, trust, excluded):
    """One tensor, following the description of the method."""
    g = g.clone()
    if not excluded:
        g += decay * w
        if w.norm() > 0 and g.norm() > 0:
            g *= trust * w.norm() / g.norm()
    buffer = g if buffer is None else momentum * buffer + g
    return w - lr * buffer, buffer


def test_equals_the_slow_reference_while_the_rate_changes() -> None:
    model = _model()
    nn.init.zeros_(model[2].weight)  # no ratio, and then a tiny one
    optimizer = LARS(
        model.parameters(),
        1.0,
        exclude_bias_and_norm=True,
        momentum=0.8,
        weight_decay=0.1,
        eta=0.01,
    )
    expected = {k: [p.detach().clone(), None] for k, p in model.named_parameters()}
    for step, lr in enumerate([1.0, 0.5, 0.1]):
        _gradients(model, step)
        grads = {k: p.grad.clone() for k, p in model.named_parameters()}
        optimizer.param_groups[0]['lr'] = lr
        optimizer.step()
        for key, parameter in model.named_parameters():
            expected[key] = _slow_step(
                expected[key][0], grads[key], expected[key][1],
                lr, 0.8, 0.1, 0.01, parameter.ndim == 1,
            )  # fmt: skip
            torch.testing.assert_close(parameter.data, expected[key][0], msg=key)
            torch.testing.assert_close(parameter.grad, grads[key], rtol=0, atol=0)


def test_an_excluded_group_is_decayed_as_mmpretrain_has_it() -> None:
    w = nn.Parameter(torch.ones(2, 2))
    w.grad = torch.full((2, 2), 0.5)
    LARS([dict(params=[w], lars_exclude=True)], 0.1, weight_decay=0.2).step()
    torch.testing.assert_close(w.data, torch.full((2, 2), 1 - 0.1 * (0.5 + 0.2)))


def test_goes_on_from_its_state(tmp_path) -> None:
    model = _model()
    kwargs = dict(lr=0.3, momentum=0.9, weight_decay=0.1)
    optimizer = LARS(model.parameters(), **kwargs)
    _gradients(model, 0)
    optimizer.step()
    torch.save(dict(optimizer=optimizer.state_dict()), tmp_path / 'a.pth')
    other = copy.deepcopy(model)
    resumed = LARS(other.parameters(), **kwargs)
    resumed.load_state_dict(load_checkpoint_file(tmp_path / 'a.pth')['optimizer'])
    for network, optim in ((model, optimizer), (other, resumed)):
        _gradients(network, 1)
        optim.step()
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_config_finds_ours() -> None:
    init_default_scope('mmrel')
    optimizer = dict(type='LARS', lr=4.8, momentum=0.9, weight_decay=1e-6)
    wrapper = build_optim_wrapper(_model(), dict(type='OptimWrapper', optimizer=optimizer))
    assert type(wrapper.optimizer) is LARS
    assert wrapper.optimizer.eps == 0


def test_parameters_without_gradient_stay() -> None:
    model = _model()
    before = copy.deepcopy(model.state_dict())
    LARS(model.parameters(), 1.0, momentum=0.9, weight_decay=0.1).step()
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize('key', ['lr', 'eps'])
def test_config_errors(key: str) -> None:
    with pytest.raises(ValueError, match=f'{key}=-1'):
        LARS(_model().parameters(), **{'lr': 0.1, key: -1})
