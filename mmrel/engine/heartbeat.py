"""End the job if a rank hangs, with an error that names the rank."""

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log

DEFAULT_TIMEOUT = 1800.0  # torch's for gloo
_KEY = 'mmrel/beat'
# Where ranks wait for each other: collectives, including DDP's in the backward pass.
_WAITING = ('torch/distributed/', 'mmengine/dist/', 'torch/autograd/')


@dataclass
class _Sign:
    """A rank's last heartbeat, timed by this process's clock."""

    at: float
    text: str = ''
    left: bool = False


class Heartbeat:
    """Exchange heartbeats between ranks; does nothing in a single process.

    A thread on each rank writes what the rank is doing to the process group's
    store. If a rank writes nothing for ``timeout`` seconds, for example because
    it is stopped, every other rank exits with one line. If all ranks are alive,
    torch's own timeout ends the collective, and its error gets the same line.

    Args:
        iteration (Callable): Returns the current iteration.
        timeout (float, optional): Timeout in seconds,
            ``env_cfg.dist_cfg.timeout``. Defaults to None: 1800.
        end (Callable): Ends the process with an exit status. Defaults to
            ``os._exit``, because the main thread may wait forever.
    """

    def __init__(
        self,
        iteration: Callable[[], int],
        timeout: float | None = None,
        end: Callable[[int], Any] = os._exit,
    ) -> None:
        self.iteration, self.end = iteration, end
        self.timeout = DEFAULT_TIMEOUT if timeout is None else timeout
        self._interval = min(5.0, self.timeout / 8)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> 'Heartbeat':
        self.rank, self.size = get_rank(), get_world_size()
        if self.size == 1:
            return self
        now = time.monotonic()
        self._signs = [_Sign(now) for _ in range(self.size)]
        # A separate connection: a call in another thread may block the group's.
        self._store = torch.distributed.distributed_c10d._get_default_store().clone()
        self._over.clear()
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._beat, self._watch)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if not self._threads:
            return
        self._over.set()
        for thread in self._threads:
            thread.join(2 * self._interval)
        self._threads = []
        if isinstance(error, RuntimeError) and 'timed out' in str(error).lower():
            raise RuntimeError(self._describe(_place(error.__traceback__))) from None

    def _beat(self) -> None:
        keys = [f'{_KEY}/{rank}' for rank in range(self.size)]
        last: dict[str, bytes] = {}
        count = 0
        try:
            while True:
                # Poll often until all ranks are known: a rank may stop in its first seconds.
                known = all(sign.text for i, sign in enumerate(self._signs) if i != self.rank)
                pause = self._interval if known else self._interval / 10
                over = self._over.wait(pause if count else 0)
                count += 1
                who = f'{platform.node()}, process {os.getpid()}'
                doing = f'at iteration {self.iteration() + 1}, in {_main_thread_place()}'
                sign = dict(count=f'{count} {time.time()}', who=who, doing=doing, left=over)
                self._store.set(keys[self.rank], json.dumps(sign))
                if over:
                    return
                for rank, key in enumerate(keys):
                    if rank != self.rank and not self._store.check([key]):
                        continue
                    value = self._store.get(key)
                    if last.get(key) != value:
                        last[key], sign = value, json.loads(value)
                        text = f'({sign["who"]}) {sign["doing"]}'
                        self._signs[rank] = _Sign(time.monotonic(), text, sign['left'])
        except RuntimeError:
            # The store is gone because the process that held it has ended.
            return

    def _watch(self) -> None:
        while not self._over.wait(self._interval / 2):
            if self._silent(self.timeout):
                message = self._describe(_main_thread_place())
                print_log(message, logger='current', level=40)
                sys.stderr.write(f'error: {message}\n')
                sys.stderr.flush()
                self.end(1)
                return

    def _silent(self, seconds: float) -> list[int]:
        """Ranks without a heartbeat. If all look silent, the one that holds the store."""
        now = time.monotonic()
        silent = [
            rank
            for rank, sign in enumerate(self._signs)
            if now - sign.at > seconds and not sign.left
        ]
        return [0] if self.rank in silent and self.rank != 0 else silent

    def _describe(self, place: str) -> str:
        now = time.monotonic()
        ours = f'rank {self.rank} waited for it at iteration {self.iteration() + 1}, in {place}'
        # torch's timeout may fire a little before ours.
        silent = self._silent(min(self.timeout, 3 * self._interval))
        if silent:
            rank = silent[0]
            sign = self._signs[rank]
            what = f'rank {rank} {sign.text} has not responded for {now - sign.at:.0f} s'
        else:
            others = [
                f'rank {rank} {sign.text}'
                for rank, sign in enumerate(self._signs)
                if rank != self.rank and not sign.left
            ]
            what, ours = '; '.join(others), ours.replace(' for it', '')
        return (
            f'{what}; {ours} (env_cfg.dist_cfg.timeout={self.timeout:g} s): ending the job; '
            'continue with --resume'
        )


def _main_thread_place() -> str:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    stack = []
    while frame is not None:
        stack.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return _name(stack)


def _place(trace: Any) -> str:
    stack = []
    while trace is not None:
        code = trace.tb_frame.f_code
        stack.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return _name(stack[::-1])


def _name(stack: list[tuple[str, int, str]]) -> str:
    """The collective and the mmrel line that called it. The stack starts at the innermost."""
    name = None
    for file, line, function in stack:
        file = file.replace(os.sep, '/')
        if any(part in file for part in _WAITING):
            # Skip the decorators around a collective.
            name = name if function in ('wrapper', '<lambda>') else function
        elif name is None:
            name = function
        if '/mmrel/' in file and 'heartbeat' not in file:
            return f'{name} (mmrel/{file.rpartition("/mmrel/")[2]}:{line})'
    return name or 'an unknown location'
