"""Processes that work on a study: their identity, and whether they are alive."""

import os
import time
import uuid

from mmrel.utils.processes import machine, start_time


class Worker:
    """The identity of this process, used to sign its claims."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.machine = machine()

    def signature(self) -> dict:
        """The signature of this process, for JSON."""
        pid = os.getpid()
        return dict(name=self.name, machine=self.machine, pid=pid, start=start_time(pid))

    def is_gone(self, signature: dict) -> bool | None:
        """Whether the process that signed has ended, or None if that is unknown."""
        if signature['machine'] != self.machine or signature['start'] is None:
            return None
        return start_time(signature['pid']) != signature['start']


class Watch:
    """Tracks how long heartbeats have not changed, by this process's clock."""

    def __init__(self) -> None:
        self._seen: dict[object, tuple[object, float]] = {}

    def quiet(self, what: object, sign: object) -> float:
        """Seconds since a heartbeat last changed."""
        now = time.monotonic()
        if what not in self._seen or self._seen[what][0] != sign:
            self._seen[what] = sign, now
        return now - self._seen[what][1]
