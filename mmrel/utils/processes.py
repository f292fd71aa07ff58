"""Identify a process, and check whether it is still running."""

import hashlib
import os
import platform
from contextlib import suppress
from pathlib import Path


def machine() -> str:
    """An identifier of this machine, or of this container on it."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path('/proc/sys/kernel/random/boot_id').read_text().strip())
        parts.append(os.readlink('/proc/self/ns/pid'))
    return '/'.join(parts)


def start_time(pid: int) -> str | None:
    """When a process on this machine started. None if it has ended, or there is no /proc.

    Args:
        pid (int): The process.
    """
    try:
        # The name, in parentheses, may contain spaces; fields 3 and 22 are the 1st and 20th after.
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        # A killed process stays a zombie until its parent reaps it.
        return None if fields[0] in 'ZX' else fields[19]
    except (OSError, IndexError):
        return None


def signature(pid: int | None = None) -> str:
    """A name for a process that is unique across machines, for use in file names.

    Args:
        pid (int, optional): The process. Defaults to None: this one.
    """
    pid = pid or os.getpid()
    return f'{_short_machine()}-{pid}-{start_time(pid) or 0}'


def has_ended(signed: str) -> bool | None:
    """Whether the process of a :func:`signature` has ended, or None if that is unknown.

    Args:
        signed (str): The signature.
    """
    where, pid, start = signed.split('-')
    if where != _short_machine() or start == '0':
        return None
    return start_time(int(pid)) != start


def _short_machine() -> str:
    return hashlib.sha256(machine().encode()).hexdigest()[:12]
