"""The first signal is recorded, a later one ends the process."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from mmrel.engine import signals
from mmrel.engine.signals import StopSignals, TrainingStopped, saying_where_to_go_on


@pytest.mark.parametrize('number', signals.STOP_SIGNALS)
def test_it_is_noted(number: signal.Signals, capfd: pytest.CaptureFixture) -> None:
    before = signal.getsignal(number)
    with StopSignals() as stop:
        assert stop.received == 0
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # a launcher may pass it on
        assert stop.received == number
    assert signal.getsignal(number) == before
    assert capfd.readouterr().err == (
        f'{number.name}: saving a checkpoint after this step; repeat to exit now\n'
    )


def test_a_later_one_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, '_SAME_SECONDS', 0.05)
    child = os.fork()
    if child == 0:
        with StopSignals():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGUSR1)  # immediately, so part of the same burst
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


@pytest.mark.slow
def test_a_process_forked_meanwhile_dies_of_it() -> None:
    ready, started = os.pipe()
    with StopSignals() as stop:
        child = os.fork()
        if child == 0:
            os.write(started, b'.')  # Python drops signals that arrive before this
            for _ in range(300):
                time.sleep(0.01)
            os._exit(0)
        os.read(ready, 1)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        assert stop.received == 0


def test_handlers_of_others_stay() -> None:
    def theirs(number: int, frame: object) -> None:
        pass

    before = signal.signal(signal.SIGUSR1, theirs)
    try:
        with StopSignals():
            assert signal.getsignal(signal.SIGUSR1) is theirs
        assert signal.getsignal(signal.SIGUSR1) is theirs
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_in_another_thread_nothing_is_changed() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def enter() -> None:
        with StopSignals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


def test_status_and_message() -> None:
    stopped = TrainingStopped(signal.SIGUSR1, 7, 'work/interrupted.pth')
    assert stopped.code == 138
    assert str(stopped) == (
        'SIGUSR1: stopped after iteration 7, saved work/interrupted.pth; continue with --resume'
    )


class _Runner:
    iter = 7

    def __init__(self, work_dir: Path) -> None:
        self.work_dir, self.lines = str(work_dir), []
        self.logger = self

    def warning(self, line: str) -> None:
        self.lines.append(line)


def test_ctrl_c_says_where_to_go_on(tmp_path: Path) -> None:
    runner = _Runner(tmp_path)
    for expected in ('no checkpoint was written yet', 'continue from a/epoch_1.pth with --resume'):
        with pytest.raises(KeyboardInterrupt), saying_where_to_go_on(runner):
            raise KeyboardInterrupt
        assert runner.lines.pop() == f'interrupted at iteration 7; {expected}'
        (tmp_path / 'last_checkpoint').write_text('a/epoch_1.pth')
