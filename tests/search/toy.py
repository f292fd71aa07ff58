"""A space without a network, for tests that do not depend on the space."""

import numpy as np

from mmrel.registry import SEARCH_COSTS
from mmrel.spaces import Path, SearchSpace


class PlainSpace(SearchSpace):
    """Widths of layers; an absent second block leaves its width unused."""

    def __init__(self, layers: int = 6, options: int = 12) -> None:
        widths = {f'width{i}': tuple(range(1, options + 1)) for i in range(layers)}
        super().__init__({'second': ('yes', 'no'), **widths})

    def used(self, indices: np.ndarray) -> np.ndarray:
        used = super().used(indices)
        used[:, 2] = indices[:, 0] == 0
        return used

    def flops(self, indices: np.ndarray) -> np.ndarray:
        return ((indices[:, 1:] + 1) * self.used(indices)[:, 1:]).sum(1) * 10

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        return self.flops(indices) // 5

    def subnet(self, path: Path) -> dict:
        raise NotImplementedError


@SEARCH_COSTS.register_module()
class PlainFLOPs:
    name = 'flops'

    def __call__(self, space: SearchSpace, indices: np.ndarray) -> np.ndarray:
        return space.flops(indices)


def accuracy(path: Path) -> float:
    """The score of a path: early layers count more, an absent one does not count."""
    widths = [path[name] for name in path if name.startswith('width')]
    weights = range(len(widths), 0, -1)
    absent = 1 if path['second'] == 'no' else None
    total = sum(w * v for i, (w, v) in enumerate(zip(widths, weights, strict=True)) if i != absent)
    return total / 4  # a percentage; exact in binary
