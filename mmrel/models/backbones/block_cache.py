"""Blocks that several stand-alone networks of a supernet share."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from torch import nn

BlockT = TypeVar('BlockT', bound=nn.Module)

# Most blocks of a supernet's space recur. The limit keeps a cache below about 50 MB.
_LIMIT = 1024


class BlockCache:
    """Blocks by their place in a network and their arguments, the last ones used.

    Only for networks without values (on the meta device) that do not run at the
    same time.
    """

    def __init__(self) -> None:
        self._blocks: OrderedDict[str, nn.Module] = OrderedDict()

    @contextmanager
    def use(self) -> Iterator[None]:
        """Let :func:`build_block` return the cache's blocks."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def get(self, place: str, block: Callable[..., BlockT], *args: Any, **kwargs: Any) -> BlockT:
        """See :func:`build_block`."""
        # With the place, because a module can be in a network only once.
        name = getattr(block, '__qualname__', repr(block))
        key = repr((place, name, args, sorted(kwargs.items())))
        found = self._blocks.pop(key, None) or block(*args, **kwargs)
        self._blocks[key] = found
        if len(self._blocks) > _LIMIT:
            self._blocks.popitem(last=False)
        return cast(BlockT, found)


_current: ContextVar[BlockCache | None] = ContextVar('block_cache', default=None)


def build_block(place: str, block: Callable[..., BlockT], *args: Any, **kwargs: Any) -> BlockT:
    """Build a block of a network, or reuse an equal one while a supernet builds a path.

    Use it for the blocks of a searched network: otherwise a supernet builds all of
    them anew in each step.

    Args:
        place (str): The block's place in the network, such as 'layers.3'.
        block (Callable): Its class, or a function that builds it.
        *args: Passed to it; they must have a ``repr`` that tells them apart.
        **kwargs: Passed to it, likewise.

    Returns:
        nn.Module: The block.
    """
    cache = _current.get()
    return block(*args, **kwargs) if cache is None else cache.get(place, block, *args, **kwargs)
