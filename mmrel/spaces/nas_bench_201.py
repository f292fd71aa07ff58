"""NAS-Bench-201's cell: one of five operations on each of six edges."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmrel.registry import SEARCH_SPACES
from mmrel.utils.checks import check_count

from .cell_function import EDGES, OPERATIONS, function_of
from .coded_space import CodedSpace, pooled_classifier
from .space import ArchPath, Option

__all__ = ['EDGES', 'OPERATIONS', 'NASBench201Space', 'live_edges']

# The operations' names in the benchmark's own strings.
_THEIRS = ('none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3')
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

    A node is the sum of its incoming edges. Convolutions are ReLU-conv-BN. The
    network consists of a convolution, three stages of the same cell, BN and a
    classifier. Residual blocks of stride 2 between the stages double the channels.

    FLOPs and parameters are those of the benchmark's table: all edges count. The
    built network leaves out the edges that do not lie on a path from the cell's
    input to its output; its costs are those of :meth:`canonical`.

    Args:
        num_classes (int): Number of classes. Defaults to 10.
        channels (int): Channels of the first stage. Defaults to 16.
        cells (int): Number of cells per stage. Defaults to 5.
        input_size (int): Image size in pixels. Defaults to 32.
        shortcut_norm (bool): Whether the residual blocks have a BN on their
            shortcuts, as in older checkpoints. NAS-Bench-201's have none. Defaults to
            False.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(
        self,
        num_classes: int = 10,
        channels: int = 16,
        cells: int = 5,
        input_size: int = 32,
        shortcut_norm: bool = False,
    ) -> None:
        check_count(1, 'space', channels=channels, cells=cells)
        super().__init__(dict.fromkeys(_NAMES, OPERATIONS), {})
        self.num_classes, self.channels = num_classes, channels
        self.cells, self.input_size = cells, input_size
        self.shortcut_norm = shortcut_norm

    @property
    def widths(self) -> tuple[int, int, int]:
        """Channels of the three stages."""
        return self.channels, 2 * self.channels, 4 * self.channels

    def used(self, indices: np.ndarray) -> np.ndarray:
        """Edges on a path from input to output, or that would be if they were not 'none'."""
        forth, back = _reach(np.asarray(indices) != 0)
        sources, targets = np.array(EDGES).T
        return forth[:, sources] & back[:, targets]

    def _weights_in_cell(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sum of k * k over a cell's convolutions, and their number, (N,) each."""
        places = np.asarray(indices)
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

    def function_key(self, path: ArchPath) -> str:
        """A short string, equal for two cells if and only if they compute the same functions.

        See :func:`.function_of`.
        """
        return function_of(self.canonical(self.indices([path]))[0].tolist())

    def is_dead(self, path: ArchPath) -> bool:
        """Whether the cell's output does not depend on its input."""
        return not live_edges(path)

    def active_layers(self, indices: np.ndarray) -> np.ndarray:
        """Number of a cell's edges that are used and neither 'none' nor 'skip', (N,), int64."""
        return (self.canonical(indices) > OPERATIONS.index('skip')).sum(axis=1)

    def architecture(self, text: str) -> ArchPath:
        """Read a cell in the benchmark's form, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``, too."""
        if not text.startswith('|'):
            return super().architecture(text)
        words = text.replace('+', '').strip('|').replace('||', '|').split('|')
        found = [word.partition('~') for word in words]
        if [source for _, _, source in found] != [str(source) for source, _ in EDGES]:
            raise ValueError(f'{text!r} is not of the form |op~0|+|op~0|op~1|+|op~0|op~1|op~2|')
        for name, _, _ in found:
            if name not in _THEIRS:
                raise ValueError(f'{text!r} has {name!r}, which must be one of {list(_THEIRS)}')
        return self.paths(np.array([[_THEIRS.index(name) for name, _, _ in found]]))[0]

    def architecture_text(self, path: ArchPath) -> str:
        """The benchmark's string of a cell."""
        places = self.indices([path])[0].tolist()
        words = [f'{_THEIRS[op]}~{source}' for op, (source, _) in zip(places, EDGES, strict=True)]
        return '+'.join(f'|{"|".join(part)}|' for part in (words[:1], words[1:3], words[3:]))

    def flops(self, indices: np.ndarray) -> np.ndarray:
        """Multiply-accumulates, as the benchmark counts them, shape (N,).

        Those of the convolutions on all edges, and the classifier with its bias.
        """
        kernel, _ = self._weights_in_cell(indices)
        stages = self._sizes_of_stages()
        in_cells = sum(self.cells * (width * size) ** 2 for width, size in stages)
        fixed = 27 * self.channels * self.input_size**2
        fixed += (4 * self.channels + 1) * self.num_classes
        for width, size in stages[1:]:
            # From width / 2: two 3x3 convolutions, and a 1x1 on the shortcut.
            fixed += (9 * width * width // 2 + 9 * width**2 + width * width // 2) * size**2
        return kernel * in_cells + fixed

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        """Parameters, as the benchmark counts them: with those of all edges, shape (N,)."""
        kernel, number = self._weights_in_cell(indices)
        square = sum(self.cells * width**2 for width in self.widths)
        norms = sum(self.cells * 2 * width for width in self.widths)
        fixed = 29 * self.channels + 2 * 4 * self.channels
        fixed += (4 * self.channels + 1) * self.num_classes
        for width in self.widths[1:]:
            fixed += 9 * width * width // 2 + 9 * width**2 + width * width // 2
            fixed += (3 if self.shortcut_norm else 2) * 2 * width
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
        backbone = dict(
            type='SearchedCellNetwork',
            cell=dict(path),
            channels=self.channels,
            cells=self.cells,
            **(dict(shortcut_norm=True) if self.shortcut_norm else {}),
        )
        return pooled_classifier(backbone, 4 * self.channels, self.num_classes)

    def describe(self) -> dict:
        """The base's description, plus the sizes that are not choices."""
        sizes: dict[str, Any] = dict(
            channels=self.channels,
            cells=self.cells,
            num_classes=self.num_classes,
            input_size=self.input_size,
        )
        # Older descriptions lack this entry, and their networks have the norm.
        if not self.shortcut_norm:
            sizes['shortcut_norm'] = False
        return dict(super().describe(), **sizes)
