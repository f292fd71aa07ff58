"""The values of a parsed pickle, with the bytes of their storages."""

import math
from typing import Any

import numpy as np
import torch

from .pickle_entries import DamagedContent, TensorEntry, UnsafeContent
from .pickle_values import MAX_DEPTH, MAX_VALUES, SCALARS, Array, History


class Assembler:
    """Fill a parsed pickle with its data.

    Args:
        storages (dict[str, torch.UntypedStorage]): The storages' bytes, by key.
        max_bytes (int): Limit for the total size of all tensors. Tensors that share
            memory are counted separately.
    """

    def __init__(self, storages: dict[str, torch.UntypedStorage], max_bytes: int) -> None:
        self._storages, self._left = storages, max_bytes
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def finish(self, value: Any) -> Any:
        """Return the value with its tensors filled in.

        Raises:
            UnsafeContent: If it contains anything but plain values and tensors.
            DamagedContent: If it contains itself, or exceeds a limit.
        """
        return self._finish(value, 0)[0]

    def _finish(self, value: Any, depth: int) -> tuple[Any, int]:
        if value is None or type(value) in SCALARS:
            return value, 1
        if isinstance(value, np.generic | torch.dtype | torch.device | torch.Size):
            return value, 1
        known = self._done.get(id(value))
        if known is not None:
            return known
        if depth > MAX_DEPTH or id(value) in self._open:
            raise DamagedContent(f'values nested more than {MAX_DEPTH} levels deep')
        self._open.add(id(value))
        result = self._build(value, depth + 1)
        self._open.discard(id(value))
        if result[1] > MAX_VALUES:
            raise DamagedContent(f'more than {MAX_VALUES:,} values, counting each repetition')
        self._done[id(value)] = result
        return result

    def _build(self, value: Any, depth: int) -> tuple[Any, int]:
        if isinstance(value, dict):
            count = 1
            for key in value:
                value[key], size = self._finish(value[key], depth)
                count += size
            return value, count
        if isinstance(value, list):
            parts = [self._finish(part, depth) for part in value]
            value[:] = [part for part, _ in parts]
            return value, 1 + sum(size for _, size in parts)
        if type(value) is tuple:
            parts = [self._finish(part, depth) for part in value]
            return tuple(part for part, _ in parts), 1 + sum(size for _, size in parts)
        if isinstance(value, set):
            return value, 1 + len(value)
        if isinstance(value, TensorEntry):
            return self._tensor(value), 1
        if isinstance(value, Array | History) and value.value is not None:
            return value.value, 1
        raise UnsafeContent(f'a value of type {type(value).__name__.strip("_")}')

    def _tensor(self, entry: TensorEntry) -> torch.Tensor:
        self._left -= math.prod(entry.size) * entry.dtype.itemsize
        if self._left < 0:
            raise DamagedContent(
                'its tensors are far larger than the file; raise MMREL_MAX_CHECKPOINT_GB to load it'
            )
        storage = self._storages[entry.storage.key]
        tensor = torch.empty(0, dtype=entry.dtype, device=storage.device)
        tensor.set_(storage, entry.offset, entry.size, entry.stride)
        learns = entry.requires_grad and (entry.dtype.is_floating_point or entry.dtype.is_complex)
        if entry.parameter:
            return torch.nn.Parameter(tensor, requires_grad=learns)
        return tensor.requires_grad_(learns)
