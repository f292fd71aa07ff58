"""The pair of ranks that serves all tests."""

import os
import random
import signal
import time

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope, init_default_scope

from tests.distributed import run_ranks
from tests.ranks import RankError


def _sum(rank: int, x: torch.Tensor) -> tuple[torch.Tensor, int]:
    x = x + rank
    torch.distributed.all_reduce(x)
    return x, os.getpid()


def test_the_same_processes_serve_all_calls() -> None:
    first, second = run_ranks(_sum, 2, torch.arange(3.0)), run_ranks(_sum, 2, torch.ones(2))
    assert [pid for _, pid in first] == [pid for _, pid in second]
    assert len({os.getpid(), *(pid for _, pid in first)}) == 3
    for found, expected in ((first, [1.0, 3.0, 5.0]), (second, [3.0, 3.0])):
        assert [x.tolist() for x, _ in found] == [expected, expected]


def _state() -> list:
    return [
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        str(torch.get_default_dtype()),
        torch.are_deterministic_algorithms_enabled(),
        getattr(DefaultScope.get_current_instance(), 'scope_name', ''),
        os.environ.get('ODD', ''),
        os.getcwd(),
        torch.rand(1, dtype=torch.float64).item(),
        float(np.random.rand()),
        random.random(),
    ]


def _change(rank: int) -> list:
    found = _state()
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    init_default_scope('mmrel')
    os.environ['ODD'] = str(rank)
    os.chdir('/')
    return found


def _look(rank: int) -> list:
    return _state()


def test_a_call_leaves_nothing_to_the_next_one() -> None:
    before, after = run_ranks(_change, 2), run_ranks(_look, 2)
    assert before == after
    assert before[0][0] == 1
    assert before[0][1]
    assert before[0][-2:] != before[1][-2:]


def _fail(rank: int, how: str) -> None:
    if rank == 1:
        if how == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == 'hangs':
            time.sleep(600)
        raise ValueError('no such rank')
    torch.distributed.barrier()


@pytest.mark.parametrize(
    ('how', 'message'),
    [
        ('raises', r'(?s)rank 1 raised.*ValueError: no such rank'),
        pytest.param('killed', 'exit codes .*-9|rank 0 raised', marks=pytest.mark.slow),
        pytest.param('hangs', r'ranks \[0, 1\] hang', marks=pytest.mark.slow),
    ],
)
def test_a_rank_that_fails_does_not_stop_the_tests(how: str, message: str) -> None:
    (_, first), _ = run_ranks(_sum, 2, torch.ones(1))
    with pytest.raises(RankError, match=message):
        run_ranks(_fail, 2, how, timeout=5 if how == 'hangs' else 60)
    (found, pid), _ = run_ranks(_sum, 2, torch.ones(1))
    assert found.tolist() == [3.0]
    assert pid != first
