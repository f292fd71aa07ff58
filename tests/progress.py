"""A place in a run without a Runner, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import MessageHub


@contextmanager
def at_iteration(
    iteration: int, max_iters: int, max_epochs: int, counts: int = 1
) -> Iterator[None]:
    """Within it, mmengine's message hub says what the Runner would say there."""
    hub = MessageHub.get_current_instance()
    infos = dict(
        iter=iteration, max_iters=max_iters, max_epochs=max_epochs, accumulative_counts=counts
    )
    for key, value in infos.items():
        hub.update_info(key, value)
    try:
        yield
    finally:
        for key in infos:
            hub.pop_info(key)
