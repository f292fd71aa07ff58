"""Memories whose writes wait until a step's backward is over."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn


class WaitingWrite(nn.Module, ABC):
    """Base of the memories.

    A step's gradient is taken through the memory as it was when the similarities
    were computed. What a step writes therefore waits until that step's backward is
    over, that is until the memory is next used or saved: it saves a copy of the
    whole memory in each step. ``_waiting`` holds it; readers and writers call
    :meth:`_flush` first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: Any = None

    @abstractmethod
    def _put(self, waiting: Any) -> None:
        """Write what waited into the buffers."""

    def _flush(self) -> None:
        if self._waiting is None:
            return
        waiting, self._waiting = self._waiting, None
        # A reader may be inside a step's autocast, which would round what is written.
        with torch.autocast(next(self.buffers()).device.type, enabled=False):
            self._put(waiting)

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._flush()
        super()._save_to_state_dict(*args, **kwargs)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._waiting = None
        super()._load_from_state_dict(*args, **kwargs)
