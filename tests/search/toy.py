"""A space without a network, for tests that do not depend on the space."""

import numpy as np

from mmrel.registry import SEARCH_COSTS
from mmrel.search.budget import draw_paths, path_costs
from mmrel.spaces import ArchPath, SearchSpace

# A text that would run if it were taken for code.
CODE = 'x\nimport os\nos.system("touch ran")'


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

    def subnet(self, path: ArchPath) -> dict:
        raise NotImplementedError


@SEARCH_COSTS.register_module()
class PlainFLOPs:
    name = 'flops'

    def __call__(self, space: SearchSpace, indices: np.ndarray) -> np.ndarray:
        return space.flops(indices)


def accuracy(path: ArchPath) -> float:
    """The score of a path: early layers count more, an absent one does not count."""
    widths = [path[name] for name in path if name.startswith('width')]
    weights = range(len(widths), 0, -1)
    absent = 1 if path['second'] == 'no' else None
    total = sum(w * v for i, (w, v) in enumerate(zip(widths, weights, strict=True)) if i != absent)
    return total / 4  # a percentage; exact in binary


def scored_rows(n: int = 30) -> list[dict]:
    """Rows of random paths, as a study has them."""
    space = PlainSpace()
    paths = draw_paths(space, None, n, np.random.default_rng(0))
    return [
        dict(slot=i, generation=i // 10, score=accuracy(path) / 7, **path_costs(space, path),
             key=space.key(path), path=path)
        for i, path in enumerate(paths)
    ]  # fmt: skip
