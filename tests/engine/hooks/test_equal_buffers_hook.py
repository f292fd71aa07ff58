"""Buffers are made equal after steps and before anything reads them, once."""

from types import SimpleNamespace

import pytest
from torch import nn

from mmrel.engine.hooks.equal_buffers_hook import EqualBuffersHook


def test_buffers_are_made_equal_once_after_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does to them is tested with two ranks, in test_equal_buffers.py."""
    equal: list[nn.Module] = []
    monkeypatch.setattr('mmrel.engine.hooks.equal_buffers_hook.make_buffers_equal', equal.append)
    hook, model = EqualBuffersHook(), nn.Linear(1, 1)
    runner = SimpleNamespace(model=model)
    hook.before_val(runner)  # of the untrained network
    assert equal == []
    hook.after_train_iter(runner, 0)
    assert equal == []
    hook.after_train_epoch(runner)
    hook.make_equal(runner)  # a checkpoint
    hook.before_val(runner)
    assert equal == [model]
    for read in (hook.before_val, hook.make_equal):
        hook.after_train_iter(runner, 1)
        hook.after_train_iter(runner, 2)
        read(runner)
        read(runner)
    assert equal == [model] * 3
