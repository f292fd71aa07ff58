"""Modules whose update waits until the step is over."""

from abc import ABC, abstractmethod
from itertools import chain
from typing import Any

import torch
from torch import nn


class HeldBackUpdate(nn.Module, ABC):
    """Base class of the memories and of the momentum teacher.

    A memory's write must not change what the step's backward pass reads, and the
    teacher follows the student as it is after the optimizer's step. So an update is
    held back until the module is next used or saved. For a memory, this avoids
    copying all of it in each step. Readers and writers call :meth:`catch_up` first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: tuple | None = None

    @abstractmethod
    def _make(self, *update: Any) -> None:
        """Make the held back update, without autocast and gradients."""

    def hold_back(self, *update: Any) -> None:
        """Schedule an update, after making the previous one.

        Args:
            *update: The arguments of :meth:`_make`. Modules among them do not become
                children; in a deep copy of a model they are the copy's.
        """
        self.catch_up()
        self._held = update

    @torch.no_grad()
    def catch_up(self) -> None:
        """Make the scheduled update, if any."""
        if self._held is None:
            return
        update, self._held = self._held, None
        # The caller may run under autocast, which would round the written values.
        device = next(chain(self.parameters(), self.buffers())).device
        with torch.autocast(device.type, enabled=False):
            self._make(*update)

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.catch_up()
        super()._save_to_state_dict(*args, **kwargs)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._held = None
        super()._load_from_state_dict(*args, **kwargs)
