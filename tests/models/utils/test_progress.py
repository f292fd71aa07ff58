"""The position in a run, and where its steps begin and end."""

import pytest
from mmengine.logging import MessageHub

from mmrel.models.utils import run_position
from mmrel.models.utils.progress import step_begins, step_ends
from tests.progress import at_iteration


def test_the_position_is_that_of_the_runner() -> None:
    with at_iteration(7, 20, 4):
        assert run_position('model.warmup') == (7, 20, 4)
    hub = MessageHub.get_current_instance()
    hub.update_info('max_iters', 20)  # an iteration-based run, before its first iteration
    try:
        assert run_position('model.warmup') == (0, 20, 1)
    finally:
        hub.pop_info('max_iters')


def test_without_a_runner_the_key_is_named() -> None:
    message = r'model\.warmup needs the length of the run, .*train with a Runner, or leave model'
    with pytest.raises(RuntimeError, match=message):
        run_position('model.warmup')


def test_steps_of_accumulated_gradients() -> None:
    """Eight iterations, three per step: mmengine's wrapper also updates after the last one."""
    begins, ends = [], []
    for iteration in range(8):
        with at_iteration(iteration, 8, 1, counts=3):
            begins.append(step_begins())
            ends.append(step_ends())
    assert [i for i in range(8) if begins[i]] == [0, 3, 6]
    assert [i for i in range(8) if ends[i]] == [2, 5, 7]


def test_without_a_runner_each_iteration_is_a_step() -> None:
    assert (step_begins(), step_ends()) == (True, True)
    with at_iteration(5, 8, 1):
        assert (step_begins(), step_ends()) == (True, True)
