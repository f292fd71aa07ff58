"""The other ranks name a rank that hangs, and the job ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmrel.engine.heartbeat import Heartbeat, _name, _Sign
from tests.commands import ROOT, environment
from tests.distributed import free_port

RANK = """
import sys, time
import torch, torch.distributed as dist
from mmrel.engine.distributed import init_cpu_processes
from mmrel.engine.heartbeat import Heartbeat
init_cpu_processes('pytorch', {timeout})
iteration = 0
with Heartbeat(lambda: iteration, {heartbeat}):
    while True:
        dist.all_reduce(torch.ones(1))
        iteration += 1
        if iteration == 50:  # half a second, enough for the ranks to see each other
            print('running', flush=True)
        if dist.get_rank() == 1:
            time.sleep({sleep} if iteration == 10 else 0.01)
"""


def _ranks(folder: Path, **settings: float) -> list[subprocess.Popen]:
    script, port = folder / 'rank.py', str(free_port())
    script.write_text(RANK.format(**settings))
    common = dict(environment(), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    return [
        subprocess.Popen(
            [sys.executable, script],
            env=dict(common, RANK=str(rank), LOCAL_RANK=str(rank)),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('stopped', 'settings'),
    # Ended by the watch alone, as on GPUs; by the collective's timeout; rank 0 holds the store.
    [
        (1, dict(timeout=300, heartbeat=4, sleep=0)),
        (1, dict(timeout=4, heartbeat=4, sleep=0)),
        (0, dict(timeout=300, heartbeat=4, sleep=0)),
    ],
)
def test_a_stopped_rank_is_named(stopped: int, settings: dict, tmp_path: Path) -> None:
    ranks = _ranks(tmp_path, **settings)
    waiting = ranks[1 - stopped]
    try:
        while waiting.stdout.readline() != 'running\n':
            assert waiting.poll() is None
        os.kill(ranks[stopped].pid, signal.SIGSTOP)
        started = time.monotonic()
        error = waiting.communicate(timeout=60)[1]
        assert waiting.returncode == 1, error
        assert time.monotonic() - started < 40
        (line,) = [line for line in error.splitlines() if 'has not responded for' in line]
        assert f'rank {stopped} (' in line
        assert f'process {ranks[stopped].pid}) at iteration' in line
        assert f'rank {1 - stopped} waited for it at iteration' in line
        assert 'in all_reduce' in line
        assert 'env_cfg.dist_cfg.timeout=4 s' in line
        assert '--resume' in line
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()


@pytest.mark.slow
def test_a_rank_that_lives_but_does_not_come_is_named(tmp_path: Path) -> None:
    ranks = _ranks(tmp_path, timeout=4, heartbeat=4, sleep=60)
    try:
        error = ranks[0].communicate(timeout=60)[1]
        assert ranks[0].returncode == 1
        last = error.strip().splitlines()[-1]
        assert 'rank 1 (' in last
        assert 'rank 0 waited at iteration 11, in all_reduce' in last
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()


def test_one_process_has_no_threads() -> None:
    with Heartbeat(lambda: 0) as heartbeat:
        assert heartbeat._threads == []


def _beats(ages: list[float], rank: int, left: tuple[int, ...] = ()) -> Heartbeat:
    heartbeat = Heartbeat(lambda: 6, timeout=10)
    heartbeat.rank, heartbeat.size = rank, len(ages)
    now = time.monotonic()
    heartbeat._signs = [
        _Sign(now - age, f'(node, process {i}) at iteration 7, in x', i in left)
        for i, age in enumerate(ages)
    ]
    return heartbeat


def test_who_is_silent() -> None:
    assert _beats([0, 11, 1], 0)._silent(10) == [1]
    assert _beats([0, 11, 1], 0, left=(1,))._silent(10) == []
    # Rank 0 holds the store: without it no rank sees another.
    assert _beats([11, 11, 11], 2)._silent(10) == [0]
    assert _beats([0, 11, 1], 0)._describe('all_gather (mmrel/a.py:3)') == (
        'rank 1 (node, process 1) at iteration 7, in x has not responded for 11 s; rank 0 waited '
        'for it at iteration 7, in all_gather (mmrel/a.py:3) (env_cfg.dist_cfg.timeout=10 s): '
        'ending the job; continue with --resume'
    )


def test_the_name_of_a_place() -> None:
    torch_file, ours = '/v/torch/distributed/distributed_c10d.py', '/x/mmrel/models/gather.py'
    stack = [(torch_file, 9, 'all_gather'), (torch_file, 5, 'wrapper'), (ours, 31, 'gather')]
    assert _name(stack) == 'all_gather (mmrel/models/gather.py:31)'
    assert _name([('/v/PIL/Image.py', 1, 'open'), (ours, 2, 'load')]) == (
        'open (mmrel/models/gather.py:2)'
    )
