"""Signals that cluster schedulers and users send to end a training run."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmengine.runner import Runner, find_latest_checkpoint

# Slurm warns with SIGUSR1 (--signal=USR1@120); everything else sends SIGTERM.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# A launcher may pass on a signal that the process has already received itself.
_SAME_SECONDS = 3.0


class TrainingStopped(SystemExit):
    """Raised when a run ends after a signal, once its checkpoint is written.

    The exit status is 128 plus the signal's number, as if the signal had killed
    the process: 143 for SIGTERM, 138 for SIGUSR1. A script that requeues jobs can
    thus tell a stopped run from a finished (0) or a failed one (1).

    Args:
        number (int): The signal.
        step (int): Iterations done.
        checkpoint (str): The checkpoint.
    """

    def __init__(self, number: int, step: int, checkpoint: str) -> None:
        super().__init__(128 + number)
        self.message = (
            f'{signal.Signals(number).name}: stopped after iteration {step}, saved '
            f'{checkpoint}; continue with --resume'
        )

    def __str__(self) -> str:
        return self.message


class StopSignals:
    """Record SIGTERM and SIGUSR1 inside the context. A second one ends the process.

    Existing handlers are kept. Outside the main thread, where Python does not allow
    handlers, nothing is recorded.

    Attributes:
        received (int): The number of the first signal, 0 until then.
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
        if os.getpid() != self._pid:  # a process forked in the meantime
            self._end(number)
        elif not self.received:
            self.received, self._at = number, time.monotonic()
            name = signal.Signals(number).name
            # The signal may have interrupted a print().
            os.write(
                2, f'{name}: saving a checkpoint after this step; repeat to exit now\n'.encode()
            )
        elif time.monotonic() - self._at > _SAME_SECONDS:
            self._end(number)

    @staticmethod
    def _end(number: int) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


@contextmanager
def saying_where_to_go_on(runner: Runner) -> Iterator[None]:
    """On Ctrl-C, log which checkpoint the run can be resumed from.

    Args:
        runner (Runner): The runner.
    """
    try:
        yield
    except KeyboardInterrupt:
        last = find_latest_checkpoint(runner.work_dir)
        runner.logger.warning(
            f'interrupted at iteration {runner.iter}; '
            + (f'continue from {last} with --resume' if last else 'no checkpoint was written yet')
        )
        raise
