"""Signals by which schedulers and users end a training run."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmengine.runner import Runner, find_latest_checkpoint

# slurm warns by SIGUSR1 (--signal=USR1@120); everything else ends by SIGTERM.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# A launcher passes on what the job's processes may have got themselves.
_SAME_SECONDS = 3.0


class TrainingStopped(SystemExit):
    """A run ended after a signal; its checkpoint is written.

    The exit status is 128 plus the signal's number, as of a process that the
    signal kills: 143 for SIGTERM, 138 for SIGUSR1. So a script that queues a job
    again tells it from one that is finished (0) or has failed (1).

    Args:
        number (int): The signal.
        step (int): Iterations that were done.
        checkpoint (str): The file that holds them.
    """

    def __init__(self, number: int, step: int, checkpoint: str) -> None:
        super().__init__(128 + number)
        self.message = (
            f'{signal.Signals(number).name}: stopped after iteration {step}, which '
            f'{checkpoint} holds; go on with --resume'
        )

    def __str__(self) -> str:
        return self.message


class StopSignals:
    """Notes SIGTERM and SIGUSR1 while it is entered; a second one ends the process.

    A handler that somebody else has set stays. Outside of the main thread, where
    Python allows no handler, nothing is noted.

    Attributes:
        received (int): The number of the first signal, 0 before it.
    """

    def __init__(self) -> None:
        self.received = 0
        self._at = 0.0
        self._pid = 0
        self._ours: list[int] = []

    def __enter__(self) -> 'StopSignals':
        self._pid = os.getpid()
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                if signal.getsignal(number) == signal.SIG_DFL:
                    signal.signal(number, self._handle)
                    self._ours.append(number)
        return self

    def __exit__(self, *error: object) -> None:
        while self._ours:
            signal.signal(self._ours.pop(), signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a process that was forked meanwhile
            self._end(number)
        elif not self.received:
            self.received, self._at = number, time.monotonic()
            name = signal.Signals(number).name
            # print() may be what the signal has interrupted.
            os.write(
                2, f'{name}: saving a checkpoint after this step; again: end at once\n'.encode()
            )
        elif time.monotonic() - self._at > _SAME_SECONDS:
            self._end(number)

    @staticmethod
    def _end(number: int) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


@contextmanager
def saying_where_to_go_on(runner: Runner) -> Iterator[None]:
    """Say what a run that Ctrl-C ends can be resumed from.

    Args:
        runner (Runner): The runner.
    """
    try:
        yield
    except KeyboardInterrupt:
        last = find_latest_checkpoint(runner.work_dir)
        runner.logger.warning(
            f'interrupted at iteration {runner.iter}; '
            + (f'go on from {last} with --resume' if last else 'no checkpoint was written before')
        )
        raise
