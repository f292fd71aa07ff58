"""Optimizers and schedulers of a checkpoint fit the run that resumes it, or it is refused."""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, OptimWrapper, OptimWrapperDict
from torch import nn

from mmrel.engine.resume_state import check_run_state

REMEDY = (
    'start a new run from its weights (load_from without --resume), or set '
    'default_hooks.strict_load=None to resume anyway'
)


def _wrapper(kind: type = torch.optim.SGD) -> OptimWrapper:
    layers = nn.Linear(2, 3), nn.Linear(3, 1)
    groups = [dict(params=list(layers[0].parameters())), dict(params=[layers[1].weight])]
    return OptimWrapper(kind(groups, lr=0.1))


def _run(several: bool = False) -> SimpleNamespace:
    wrapper = _wrapper()
    schedulers: Any = [CosineAnnealingLR(wrapper.optimizer, T_max=5)]
    if several:
        wrapper, schedulers = OptimWrapperDict(a=wrapper, b=_wrapper()), dict(a=schedulers)
    return SimpleNamespace(optim_wrapper=wrapper, param_schedulers=schedulers)


def _checkpoint(run: SimpleNamespace) -> dict:
    schedulers = run.param_schedulers
    if isinstance(schedulers, dict):
        states: Any = {k: [s.state_dict() for s in part] for k, part in schedulers.items()}
    else:
        states = [s.state_dict() for s in schedulers]
    return copy.deepcopy(dict(optimizer=run.optim_wrapper.state_dict(), param_schedulers=states))


def _other_kind(content: dict) -> None:
    for group in content['optimizer']['param_groups']:
        del group['momentum']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.pop('optimizer'), 'the checkpoint has no optimizer state to resume from'),
        (lambda c: c.update(optimizer=[1]), "'s optimizer is not a valid optimizer state"),
        (lambda c: c['optimizer'].pop('state'), 'is not a valid optimizer state'),
        (lambda c: c['optimizer']['param_groups'][1].update(params=3), 'is not a valid optimizer'),
        (lambda c: c['optimizer']['param_groups'][0]['params'].pop(),
         "optimizer has 2 groups of 2 parameters, but this run's has 2 of 3"),
        (_other_kind, "optimizer is of another type: it has no ['momentum']"),
        (lambda c: c.pop('param_schedulers'), 'has no param_schedulers to resume from'),
        (lambda c: c.update(param_schedulers=dict(a=[])), 'are not valid scheduler states'),
        (lambda c: c['param_schedulers'][0].pop('last_step'), 'are not valid scheduler states: ['),
        # It would replace the scheduler's method.
        (lambda c: c['param_schedulers'][0].update(step=1), 'are not valid scheduler states: ['),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_remedy(
    change: Callable[[dict], Any], message: str
) -> None:
    run = _run()
    content = _checkpoint(run)
    check_run_state(run, content)
    change(content)
    with pytest.raises(RuntimeError) as caught:
        check_run_state(run, content)
    assert message in str(caught.value)
    assert str(caught.value).endswith(f': {REMEDY}')
    assert '\n' not in str(caught.value)


def test_each_of_several_optimizers_is_checked() -> None:
    run = _run(several=True)
    content = _checkpoint(run)
    check_run_state(run, content)
    for change, message in (
        (
            lambda c: c['optimizer'].update(c=1),
            r"has optimizers \['a', 'b', 'c'\], but this run has",
        ),
        (
            lambda c: c['optimizer']['b']['param_groups'].pop(),
            "optimizer 'b' has 1 groups of 2 par",
        ),
        (lambda c: c['param_schedulers'].clear(), r"param_schedulers are not for \['a'\]"),
        (lambda c: c['param_schedulers'].update(a=[3]), 'are not valid scheduler states'),
    ):
        other = copy.deepcopy(content)
        change(other)
        with pytest.raises(RuntimeError, match=message):
            check_run_state(run, other)


def test_settings_that_versions_of_torch_add_do_not_matter() -> None:
    run = _run()
    content = _checkpoint(run)
    for group in content['optimizer']['param_groups']:
        group.pop('foreach')
        group['of_a_later_version'] = True
    check_run_state(run, content)
    run.optim_wrapper = _wrapper(torch.optim.AdamW)
    with pytest.raises(RuntimeError, match=r"of another type: it has no \['betas'\]"):
        check_run_state(run, content)
