"""Who works on a study: a process that has ended is told from one that is silent."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from mmrel.search.worker import Watch, Worker


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='needs /proc')
def test_a_killed_process_that_nobody_asked_for_is_gone() -> None:
    ready = multiprocessing.get_context('fork').Queue()

    def sign() -> None:
        ready.put(Worker().signature())
        time.sleep(600)

    process = multiprocessing.get_context('fork').Process(target=sign)
    process.start()
    signature, watcher = ready.get(timeout=60), Worker()
    assert watcher.is_gone(signature) is False
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not watcher.is_gone(signature):  # it is a zombie: nothing has waited for it
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.join()


def test_of_another_machine_or_without_a_start_nothing_is_known() -> None:
    worker = Worker()
    signature = worker.signature()
    assert signature['pid'] == os.getpid()
    assert worker.is_gone(signature) is False
    assert worker.is_gone(dict(signature, machine='elsewhere')) is None
    assert worker.is_gone(dict(signature, start=None)) is None
    # The number of a process is used again; its start is not.
    assert worker.is_gone(dict(signature, start='1')) is True
    assert Worker().name != worker.name


def test_the_time_without_a_beat_is_counted_for_each_sender(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr('mmrel.search.worker.time.monotonic', lambda: clock[0])
    watch, quiet = Watch(), []
    for seconds, who, beat in [
        (0, 'a', 1), (5, 'a', 1), (1, 'b', 1), (4, 'a', 2), (3, 'a', 2), (0, 'b', 1), (1, 'a', 1),
    ]:  # fmt: skip
        clock[0] += seconds
        quiet.append(watch.quiet(who, beat))
    assert quiet == [0, 5, 0, 0, 3, 7, 0]
