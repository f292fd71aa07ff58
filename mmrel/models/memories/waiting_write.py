"""Memories that hold a write back until the step's backward pass is over."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn


class WaitingWrite(nn.Module, ABC):
    """Base class of the memories.

    The backward pass needs the memory as it was in the forward pass. A write is
    therefore held back in ``_waiting`` until the memory is next used or saved. This
    avoids copying the whole memory in each step. Readers and writers call
    :meth:`_flush` first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: Any = None

    @abstractmethod
    def _put(self, waiting: Any) -> None:
        """Write the pending data into the buffers."""

    def _flush(self) -> None:
        if self._waiting is None:
            return
        waiting, self._waiting = self._waiting, None
        # The caller may run under autocast, which would round the written values.
        with torch.autocast(next(self.buffers()).device.type, enabled=False):
            self._put(waiting)

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._flush()
        super()._save_to_state_dict(*args, **kwargs)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._waiting = None
        super()._load_from_state_dict(*args, **kwargs)
