"""The untrained network is validated, once."""

from types import SimpleNamespace

import pytest

from mmrel.engine.hooks import InitialValHook


@pytest.mark.parametrize(('iteration', 'times'), [(0, 1), (1, 0), (600, 0)])
def test_only_a_run_at_its_start_is_validated(iteration: int, times: int) -> None:
    runs: list[int] = []
    loop = SimpleNamespace(run=lambda: runs.append(iteration))
    InitialValHook().before_train(SimpleNamespace(iter=iteration, val_loop=loop))
    assert runs == [0] * times
