"""Processes that work on a study: who they are, and whether they still are."""

import os
import platform
import time
import uuid
from contextlib import suppress
from pathlib import Path


def _machine() -> str:
    """Tells machines apart, and containers of one machine."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path('/proc/sys/kernel/random/boot_id').read_text().strip())
        parts.append(os.readlink('/proc/self/ns/pid'))
    return '/'.join(parts)


def _start_time(pid: int) -> str | None:
    """When a process of this machine began; None if it has ended, or there is no /proc."""
    try:
        # The name, in brackets, may hold blanks; fields 3 and 22 are the 1st and 20th after it.
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        # One that was killed stays as a zombie until its parent asks for it.
        return None if fields[0] in 'ZX' else fields[19]
    except (OSError, IndexError):
        return None


class Worker:
    """This process, as it signs what it works on."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.machine = _machine()

    def signature(self) -> dict:
        """For JSON."""
        pid = os.getpid()
        return dict(name=self.name, machine=self.machine, pid=pid, start=_start_time(pid))

    def is_gone(self, signature: dict) -> bool | None:
        """Whether the process that signed has ended; None if it cannot be told."""
        if signature['machine'] != self.machine or signature['start'] is None:
            return None
        return _start_time(signature['pid']) != signature['start']


class Watch:
    """Notes for how long signs of life have not changed, by this process's clock."""

    def __init__(self) -> None:
        self._seen: dict[object, tuple[object, float]] = {}

    def quiet(self, what: object, sign: object) -> float:
        """Seconds since a sign of life was another one."""
        now = time.monotonic()
        if what not in self._seen or self._seen[what][0] != sign:
            self._seen[what] = sign, now
        return now - self._seen[what][1]
