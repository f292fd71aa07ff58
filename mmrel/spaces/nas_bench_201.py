"""NAS-Bench-201's cell: one of five operations on each of six edges."""

from collections.abc import Mapping

import numpy as np

from mmrel.registry import SEARCH_SPACES
from mmrel.utils.checks import check_at_least

from .coded_space import CodedSpace
from .space import ArchPath, Option

__all__ = ['EDGES', 'OPERATIONS', 'NASBench201Space', 'live_edges']

# From each earlier node to each later one; node 0 is the cell's input, node 3 its output.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
OPERATIONS = ('none', 'skip', 'conv1x1', 'conv3x3', 'avgpool3x3')
_NAMES = tuple(f'edge_{source}_{target}' for source, target in EDGES)


def _reach(passes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which nodes the input reaches, and which nodes reach the output, (N, 4) each."""
    forth = np.zeros((len(passes), 4), dtype=bool)
    back = forth.copy()
    forth[:, 0] = back[:, 3] = True
    for i, (source, target) in enumerate(EDGES):  # sorted by target
        forth[:, target] |= forth[:, source] & passes[:, i]
    # In descending order of source, so that all edges leaving a target are done first.
    for i, (source, target) in sorted(enumerate(EDGES), key=lambda e: -e[1][0]):
        back[:, source] |= back[:, target] & passes[:, i]
    return forth, back


def live_edges(path: Mapping[str, Option]) -> dict[str, str]:
    """The edges that lie on a path from a cell's input to its output.

    Args:
        path (ArchPath): Operations by ``edge_SOURCE_TARGET``.

    Returns:
        dict[str, str]: Their operations, in the order of the edges.
    """
    passes = np.array([[path[name] != 'none' for name in _NAMES]])
    forth, back = _reach(passes)
    return {
        name: str(path[name])
        for i, (name, (source, target)) in enumerate(zip(_NAMES, EDGES, strict=True))
        if passes[0, i] and forth[0, source] and back[0, target]
    }


@SEARCH_SPACES.register_module()
class NASBench201Space(CodedSpace):
    """The 15,625 cells of NAS-Bench-201 (arXiv:2001.00326).

    A node is the sum of its incoming edges. Convolutions are ReLU-conv-BN. Edges
    that do not lie on a path from the cell's input to its output are not computed
    and have no parameters (our choice). The network consists of a convolution,
    three stages of the same cell, BN and a classifier. Residual blocks of stride 2
    between the stages double the channels.

    Args:
        num_classes (int): Number of classes. Defaults to 10.
        channels (int): Channels of the first stage. Defaults to 16.
        cells (int): Number of cells per stage. Defaults to 5.
        input_size (int): Image size in pixels. Defaults to 32.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(
        self, num_classes: int = 10, channels: int = 16, cells: int = 5, input_size: int = 32
    ) -> None:
        check_at_least(1, 'space', channels=channels, cells=cells)
        super().__init__(dict.fromkeys(_NAMES, OPERATIONS), {})
        self.num_classes, self.channels = num_classes, channels
        self.cells, self.input_size = cells, input_size

    @property
    def widths(self) -> tuple[int, int, int]:
        """Channels of the three stages."""
        return self.channels, 2 * self.channels, 4 * self.channels

    def _live(self, indices: np.ndarray) -> np.ndarray:
        passes = np.asarray(indices) != 0
        forth, back = _reach(passes)
        sources, targets = np.array(EDGES).T
        return passes & forth[:, sources] & back[:, targets]

    def used(self, indices: np.ndarray) -> np.ndarray:
        """Edges on a path from input to output, or that would be if they were not 'none'."""
        forth, back = _reach(np.asarray(indices) != 0)
        sources, targets = np.array(EDGES).T
        return forth[:, sources] & back[:, targets]

    def _weights_in_cell(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sum of k * k over a cell's convolutions, and their number, (N,) each."""
        places = np.where(self._live(indices), indices, 0)
        one = (places == OPERATIONS.index('conv1x1')).sum(axis=1)
        three = (places == OPERATIONS.index('conv3x3')).sum(axis=1)
        return one + 9 * three, one + three

    def _sizes_of_stages(self) -> list[tuple[int, int]]:
        """Channels and feature-map size of each stage."""
        size, stages = self.input_size, []
        for width in self.widths:
            stages.append((width, size))
            size = -(-size // 2)
        return stages

    def flops(self, indices: np.ndarray) -> np.ndarray:
        """Multiply-accumulates of convolutions and the classifier, shape (N,)."""
        kernel, _ = self._weights_in_cell(indices)
        stages = self._sizes_of_stages()
        in_cells = sum(self.cells * (width * size) ** 2 for width, size in stages)
        fixed = 27 * self.channels * self.input_size**2 + 4 * self.channels * self.num_classes
        for width, size in stages[1:]:
            # From width / 2: two 3x3 convolutions, and a 1x1 on the shortcut.
            fixed += (9 * width * width // 2 + 9 * width**2 + width * width // 2) * size**2
        return kernel * in_cells + fixed

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        """Parameters of the stand-alone networks, shape (N,)."""
        kernel, number = self._weights_in_cell(indices)
        square = sum(self.cells * width**2 for width in self.widths)
        norms = sum(self.cells * 2 * width for width in self.widths)
        fixed = 29 * self.channels + 2 * 4 * self.channels
        fixed += (4 * self.channels + 1) * self.num_classes
        for width in self.widths[1:]:
            fixed += 9 * width * width // 2 + 9 * width**2 + width * width // 2 + 3 * 2 * width
        return kernel * square + number * norms + fixed

    def largest(self) -> ArchPath:
        """A 3x3 convolution on every edge."""
        return dict.fromkeys(self.choices, 'conv3x3')

    def shared_key(self, path: ArchPath, layer: str) -> str:
        """Insert an edge's operation, such as 'stages.0.0.edges.edge_0_1.conv3x3.conv'."""
        if '.edges.' not in layer:
            return layer
        cell, edge = layer.split('.edges.')
        name, rest = edge.split('.', 1)
        return f'{cell}.edges.{name}.{path[name]}.{rest}'

    def subnet(self, path: ArchPath) -> dict:
        """Config of the stand-alone classifier of a path."""
        self.validate(path)
        return dict(
            type='ImageClassifier',
            backbone=dict(
                type='SearchedCellNetwork',
                cell=dict(path),
                channels=self.channels,
                cells=self.cells,
            ),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='LinearClsHead', in_channels=4 * self.channels, num_classes=self.num_classes
            ),
        )

    def describe(self) -> dict:
        """The base's description, plus the sizes that are not choices."""
        return dict(
            super().describe(),
            channels=self.channels,
            cells=self.cells,
            num_classes=self.num_classes,
            input_size=self.input_size,
        )
