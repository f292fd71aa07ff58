"""Storages and tensors that a pickle refers to, and the errors of reading it."""

from dataclasses import dataclass

import torch


class UnsafeContent(Exception):
    """A file requests something that checkpoints do not need, such as calling a function."""


class DamagedContent(Exception):
    """A file does not follow the format."""


@dataclass(frozen=True)
class StorageType:
    """Represents a name such as ``torch.FloatStorage``. ``dtype`` None means bytes."""

    dtype: torch.dtype | None


@dataclass(eq=False)
class StorageEntry:
    """A storage that the pickle refers to. Its bytes are elsewhere in the file.

    Attributes:
        key (str): Its name in the file.
        dtype (torch.dtype): Type of its elements, uint8 for bytes.
        location (str): The device it was saved from, such as 'cuda:0'.
        numel (int): Number of elements.
    """

    key: str
    dtype: torch.dtype
    location: str
    numel: int

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.numel * self.dtype.itemsize


@dataclass(eq=False)
class TensorEntry:
    """A tensor without data yet."""

    storage: StorageEntry
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    parameter: bool = False
