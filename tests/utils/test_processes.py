"""Which process it is, and whether it still runs."""

import os
from pathlib import Path

import pytest

from mmrel.utils.processes import has_ended, machine, signature, start_time

pytestmark = pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='needs /proc')


def _ended() -> int:
    """The number of a process that there is not."""
    pid = int(Path('/proc/sys/kernel/pid_max').read_text()) + 1
    assert not Path(f'/proc/{pid}').exists()
    return pid


def test_a_signature_tells_a_process_from_others_of_its_number() -> None:
    place, pid, start = signature().split('-')
    assert int(pid) == os.getpid()
    assert start == start_time(os.getpid())
    assert has_ended(signature()) is False
    assert signature() == signature(os.getpid())
    # A later process with the number of an ended one.
    assert has_ended(f'{place}-{pid}-{int(start) - 1}') is True
    assert has_ended(f'{place}-{_ended()}-{start}') is True


def test_of_another_machine_or_an_unknown_start_nothing_is_known() -> None:
    place, pid, start = signature().split('-')
    assert has_ended(f'{"0" * len(place)}-{pid}-{start}') is None
    assert signature(_ended()).endswith('-0')
    assert has_ended(signature(_ended())) is None


def test_a_process_may_have_any_name() -> None:
    before, comm = start_time(os.getpid()), Path('/proc/self/comm')
    name = comm.read_text()
    try:
        comm.write_text('a) Z 1 (2 3')
        assert start_time(os.getpid()) == before
    finally:
        comm.write_text(name)


def test_a_machine_is_known_by_its_start() -> None:
    assert machine() == machine()
    assert Path('/proc/sys/kernel/random/boot_id').read_text().strip() in machine()
