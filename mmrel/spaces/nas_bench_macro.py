"""NAS-Bench-Macro's space: one of three blocks in each of eight layers."""

from collections.abc import Sequence

import numpy as np

from mmrel.registry import SEARCH_SPACES
from mmrel.utils.checks import check_count

from .coded_space import CodedSpace, pooled_classifier
from .space import ArchPath

__all__ = ['BLOCKS', 'NASBenchMacroSpace']

# Expansion and kernel size by name. 'skip' is the identity, or a 1x1 convolution with stride 2.
BLOCKS: dict[str, tuple[int, int] | None] = dict(skip=None, mb3_k3=(3, 3), mb6_k5=(6, 5))


@SEARCH_SPACES.register_module()
class NASBenchMacroSpace(CodedSpace):
    """The 6,561 networks of NAS-Bench-Macro (arXiv:2103.11922).

    Every layer is skipped, or an inverted residual with expansion 3 and kernel 3, or
    with expansion 6 and kernel 5. The first layer of each stage has stride 2.

    Args:
        num_classes (int): Number of classes. Defaults to 10.
        input_size (int): Image size in pixels. Defaults to 32.
        stem_channels (int): Channels of the first convolution. Defaults to 32.
        channels (Sequence[int]): Channels of each stage. Defaults to (64, 128, 256).
        layers (Sequence[int]): Layers in each stage. Defaults to (2, 3, 3).
        last_channels (int): Channels of the last convolution. Defaults to 1280.

    Raises:
        ValueError: If a number is below 1, or ``channels`` and ``layers`` differ in
            length.
    """

    def __init__(
        self,
        num_classes: int = 10,
        input_size: int = 32,
        stem_channels: int = 32,
        channels: Sequence[int] = (64, 128, 256),
        layers: Sequence[int] = (2, 3, 3),
        last_channels: int = 1280,
    ) -> None:
        if not channels or len(channels) != len(layers):
            raise ValueError(
                f'space.channels={list(channels)} and space.layers={list(layers)} must have one '
                'entry per stage'
            )
        check_count(
            1,
            'space',
            num_classes=num_classes,
            input_size=input_size,
            stem_channels=stem_channels,
            channels=min(channels),
            layers=min(layers),
            last_channels=last_channels,
        )
        self.num_classes, self.input_size = num_classes, input_size
        self.stem_channels, self.last_channels = stem_channels, last_channels
        self.channels, self.layers = tuple(channels), tuple(layers)
        super().__init__({f'layer{i}': tuple(BLOCKS) for i in range(sum(layers))}, {})
        self._flops, self._parameters = self._tables()

    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        """FLOPs and parameters of each layer by option, (layers, options) each."""
        flops, parameters = [], []
        size, before = self.input_size, self.stem_channels
        for width, number in zip(self.channels, self.layers, strict=True):
            for i in range(number):
                area = size**2
                size = size if i else -(-size // 2)
                rows = [_block_costs(block, before, width, area, size**2, i == 0)
                        for block in BLOCKS.values()]  # fmt: skip
                flops.append([row[0] for row in rows])
                parameters.append([row[1] for row in rows])
                before = width
        self._last_size = size
        return np.array(flops), np.array(parameters)

    def _sum(self, table: np.ndarray, indices: np.ndarray) -> np.ndarray:
        return table[np.arange(len(table)), np.asarray(indices)].sum(axis=1)

    def flops(self, indices: np.ndarray) -> np.ndarray:
        """Multiply-accumulates of convolutions and the classifier, shape (N,)."""
        fixed = 27 * self.stem_channels * self.input_size**2
        fixed += self.channels[-1] * self.last_channels * self._last_size**2
        return self._sum(self._flops, indices) + fixed + self.last_channels * self.num_classes

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        """Parameters of the stand-alone networks, shape (N,)."""
        fixed = (27 + 2) * self.stem_channels + (self.channels[-1] + 2) * self.last_channels
        return (
            self._sum(self._parameters, indices)
            + fixed
            + (self.last_channels + 1) * self.num_classes
        )

    def function_key(self, path: ArchPath) -> str:
        """A short string, equal for two networks that differ in where a stage has identities."""
        places = self.indices([path])[0].tolist()
        stages, start = [], 0
        for number in self.layers:
            first, *others = map(str, places[start : start + number])
            stages.append(first + ''.join(block for block in others if block != '0'))
            start += number
        return '-'.join(stages)

    def active_layers(self, indices: np.ndarray) -> np.ndarray:
        """Number of layers that are not skipped, (N,), int64."""
        return (np.asarray(indices) != 0).sum(axis=1)

    def architecture(self, text: str) -> ArchPath:
        """Read a network in the benchmark's form, one digit per layer, too."""
        plain = len(text) == len(self.choices) > 1 and '-' not in text
        return super().architecture('-'.join(text) if plain else text)

    def architecture_text(self, path: ArchPath) -> str:
        """The benchmark's digits of a network."""
        return ''.join(map(str, self.indices([path])[0]))

    def largest(self) -> ArchPath:
        """The largest block in every layer."""
        return dict.fromkeys(self.choices, 'mb6_k5')

    def shared_key(self, path: ArchPath, layer: str) -> str:
        """Insert a layer's block, such as 'layers.3.mb6_k5.expand'."""
        if not layer.startswith('layers.'):
            return layer
        _, i, rest = layer.split('.', 2)
        return f'layers.{i}.{path[f"layer{i}"]}.{rest}'

    def subnet(self, path: ArchPath) -> dict:
        """Config of the stand-alone classifier of a path."""
        self.validate(path)
        backbone = dict(
            type='SearchedMacroNetwork',
            blocks=[path[name] for name in self.choices],
            stem_channels=self.stem_channels,
            channels=self.channels,
            layers=self.layers,
            last_channels=self.last_channels,
        )
        return pooled_classifier(backbone, self.last_channels, self.num_classes)

    def describe(self) -> dict:
        """The base's description, plus the sizes that are not choices."""
        return dict(
            super().describe(),
            stem_channels=self.stem_channels,
            channels=list(self.channels),
            layers=list(self.layers),
            last_channels=self.last_channels,
            num_classes=self.num_classes,
            input_size=self.input_size,
        )


def _block_costs(
    block: tuple[int, int] | None, before: int, width: int, area: int, out_area: int, first: bool
) -> tuple[int, int]:
    """FLOPs and parameters of a layer. ``area`` and ``out_area`` are its maps' pixels."""
    if block is None:
        return (before * width * out_area, (before + 2) * width) if first else (0, 0)
    expansion, kernel = block
    hidden = before * expansion
    flops = before * hidden * area + hidden * (kernel**2 + width) * out_area
    return flops, hidden * (before + 2 + kernel**2 + 2 + width) + 2 * width
