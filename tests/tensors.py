"""How large the tensors of a computation are, for tests."""

from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class _Largest(TorchDispatchMode):
    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return out


def largest_tensors(function: Callable[[], object]) -> tuple[int, int]:
    """Elements of the largest tensor that a function makes, and that it keeps for a backward."""
    kept: list[int] = []
    hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    )
    with _Largest() as largest, hooks:
        function()
    return largest.elements, max(kept)
