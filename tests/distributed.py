"""Running a function in several gloo processes, for tests."""

import atexit
import socket
from collections.abc import Callable
from typing import Any

from tests.ranks import TIMEOUT, Ranks

# One pair of processes serves the whole test run (with pytest-xdist: one a
# worker); starting a pair takes longer than nearly all that tests do with it.
_pair: Ranks | None = None


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


@atexit.register
def _close_pair() -> None:
    global _pair
    if _pair is not None:
        _pair.close()
        _pair = None


def run_ranks(function: Callable, size: int, *args: Any, timeout: float = TIMEOUT) -> list[Any]:
    """Call ``function(rank, *args)`` on ``size`` ranks; what each returned, in order.

    Raises:
        RankError: If a rank raised, died, or was not done in ``timeout`` seconds.
    """
    global _pair
    if size != 2:
        ranks = Ranks(size)
        try:
            return ranks.run(function, *args, timeout=timeout)
        finally:
            ranks.close()
    if _pair is None:
        _pair = Ranks(size)
    try:
        return _pair.run(function, *args, timeout=timeout)
    except BaseException:
        # The other rank may wait for the first one for ever.
        _close_pair()
        raise
