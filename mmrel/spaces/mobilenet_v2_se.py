"""The MobileNetV2-SE space: expansion, kernel and SE, or identity, for each of 21 layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmrel.registry import SEARCH_SPACES
from mmrel.utils.checks import check_count

from .coded_space import CodedSpace, pooled_classifier
from .space import ArchPath

__all__ = ['BlockSizes', 'MobileNetV2SESpace']

IDENTITY = 'identity'


@dataclass(frozen=True)
class BlockSizes:
    """Sizes of one inverted residual block.

    Attributes:
        in_channels (int): Input channels.
        out_channels (int): Output channels.
        hidden_channels (int): Channels between the two 1x1 convolutions.
        kernel_size (int): Kernel size of the depthwise convolution.
        stride (int): Stride of the depthwise convolution.
        squeeze_channels (int): Squeeze-excitation channels. 0: no SE module.
    """

    in_channels: int
    out_channels: int
    hidden_channels: int
    kernel_size: int
    stride: int
    squeeze_channels: int

    def flops(self, size: int) -> int:
        """Multiply-accumulates for an input of ``size`` x ``size``."""
        hidden, after = self.hidden_channels, -(-size // self.stride)
        return (
            self.in_channels * hidden * size**2
            + hidden * (self.kernel_size**2 + self.out_channels) * after**2
            + 2 * hidden * self.squeeze_channels
        )

    def parameters(self) -> int:
        """Number of parameters, including BN."""
        hidden, squeeze = self.hidden_channels, self.squeeze_channels
        count = hidden * (self.in_channels + self.kernel_size**2 + self.out_channels + 4)
        count += 2 * self.out_channels
        return count + 2 * hidden * squeeze + squeeze + hidden * (squeeze > 0)


@SEARCH_SPACES.register_module()
class MobileNetV2SESpace(CodedSpace):
    """Choose each layer's inverted residual block and its expanded width.

    A layer chooses an expansion and a kernel size, with or without
    squeeze-excitation. With stride 1 and equal channels it may also be the
    identity: 13 choices instead of 12. The width is a fraction of the expanded
    channels (our choice: the channels between layers stay fixed, so that residual
    sums match). Squeeze-excitation reduces to a quarter of the expanded channels
    (our choice).
    Source: K-shot NAS (arXiv:2106.06442).

    Args:
        num_classes (int): Number of classes. Defaults to 1000.
        input_size (int): Image size in pixels. Defaults to 224.
        stem_channels (int): Channels of the first convolution. Defaults to 32.
        first_channels (int): Channels of the depthwise-separable block after it.
            Defaults to 16.
        channels (Sequence[int]): Output channels of each stage.
        layers (Sequence[int]): Number of layers in each stage.
        strides (Sequence[int]): Stride of the first convolution, then of each
            stage's first layer.
        last_channels (int): Channels of the last convolution. Defaults to 1280.
        expansions (Sequence[int]): Expansion ratios. Defaults to (3, 6).
        kernels (Sequence[int]): Kernel sizes. Defaults to (3, 5, 7).
        widths (Sequence[float]): Fractions of the expanded channels. A single
            fraction means that widths are not searched. Defaults to (1.0,).
        divisor (int): Expanded channels are rounded to multiples of it. Defaults to 8.

    Raises:
        ValueError: If the sizes are inconsistent.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        input_size: int = 224,
        stem_channels: int = 32,
        first_channels: int = 16,
        channels: Sequence[int] = (32, 40, 80, 96, 192, 320),
        layers: Sequence[int] = (4, 4, 4, 4, 4, 1),
        strides: Sequence[int] = (2, 2, 2, 2, 1, 2, 1),
        last_channels: int = 1280,
        expansions: Sequence[int] = (3, 6),
        kernels: Sequence[int] = (3, 5, 7),
        widths: Sequence[float] = (1.0,),
        divisor: int = 8,
    ) -> None:
        if not len(channels) == len(layers) == len(strides) - 1:
            raise ValueError(
                f'space.channels={list(channels)}, layers={list(layers)} and strides='
                f'{list(strides)} must have one entry per stage, and strides '
                'one more at the start, for the stem'
            )
        if any(kernel % 2 == 0 for kernel in kernels):
            raise ValueError(f'space.kernels={list(kernels)} must be odd')
        check_count(1, 'space', divisor=divisor)
        self.num_classes, self.input_size = num_classes, input_size
        self.stem_channels, self.stem_stride = stem_channels, strides[0]
        self.first_channels, self.last_channels = first_channels, last_channels
        self.widths, self.divisor = tuple(widths), divisor
        self._layers = self._place(first_channels, channels, layers, strides[1:])
        self._ops = {
            f'e{e}_k{k}{"_se" * se}': (e, k, se)
            for se in (False, True)
            for e in expansions
            for k in kernels
        }
        options = {
            f'layer{i}.op': [*([IDENTITY] if stride == 1 and before == after else []), *self._ops]
            for i, (before, after, stride) in enumerate(self._layers)
        }
        shares = {f'layer{i}.width': self.widths for i in range(len(self._layers))}
        super().__init__(options, shares if len(self.widths) > 1 else {})
        self._flops, self._parameters = self._tables()

    @staticmethod
    def _place(
        width: int, channels: Sequence[int], layers: Sequence[int], strides: Sequence[int]
    ) -> list[tuple[int, int, int]]:
        """Input channels, output channels and stride of each layer."""
        placed = []
        for out, number, stride in zip(channels, layers, strides, strict=True):
            for i in range(number):
                placed.append((width, out, 1 if i else stride))
                width = out
        return placed

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self._layers)

    def hidden_channels(self, layer: int, expansion: int, share: float = 1.0) -> int:
        """Expanded channels of a layer, a multiple of the divisor."""
        full = self._layers[layer][0] * expansion * share
        return max(self.divisor, int(full / self.divisor + 0.5) * self.divisor)

    def block(self, layer: int, op: str, share: float = 1.0) -> BlockSizes | None:
        """Sizes of a layer's block, or None for the identity."""
        if op == IDENTITY:
            return None
        before, after, stride = self._layers[layer]
        expansion, kernel, squeeze = self._ops[op]
        hidden = self.hidden_channels(layer, expansion, share)
        return BlockSizes(
            before, after, hidden, kernel, stride, max(1, hidden // 4) if squeeze else 0
        )

    def blocks(self, path: ArchPath) -> list[BlockSizes | None]:
        """Sizes of the block of each layer in a path."""
        options: dict[str, Any] = dict(path)
        return [
            self.block(i, options[f'layer{i}.op'], options.get(f'layer{i}.width', self.widths[0]))
            for i in range(self.depth)
        ]

    def _tables(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """FLOPs and parameters of each layer, by option and width, (O, W) each."""
        size = -(-self.input_size // self.stem_stride)
        flops, parameters = [], []
        for i, (_, _, stride) in enumerate(self._layers):
            blocks = [
                [self.block(i, op, share) for share in self.widths]
                for op in map(str, self.choices[f'layer{i}.op'])
            ]
            flops.append(np.array([[b.flops(size) if b else 0 for b in row] for row in blocks]))
            parameters.append(
                np.array([[b.parameters() if b else 0 for b in row] for row in blocks])
            )
            size = -(-size // stride)
        self._last_size = size
        return flops, parameters

    def _sum(self, tables: list[np.ndarray], indices: np.ndarray) -> np.ndarray:
        indices = np.asarray(indices)
        none = np.zeros(len(indices), dtype=np.int64)
        total = none.copy()
        for i, table in enumerate(tables):
            width = indices[:, self.depth + i] if self.width_choices else none
            total += table[indices[:, i], width]
        return total

    def used(self, indices: np.ndarray) -> np.ndarray:
        """All entries except the widths of identity layers."""
        used = super().used(indices)
        if self.width_choices:
            may_be_absent = [self.choices[f'layer{i}.op'][0] == IDENTITY for i in range(self.depth)]
            used[:, self.depth :] = (indices[:, : self.depth] > 0) | ~np.array(may_be_absent)
        return used

    def flops(self, indices: np.ndarray) -> np.ndarray:
        """Multiply-accumulates of convolutions and linear layers, shape (N,)."""
        size = -(-self.input_size // self.stem_stride)
        fixed = size**2 * self.stem_channels * (27 + 9 + self.first_channels)
        fixed += self._last_size**2 * self._layers[-1][1] * self.last_channels
        fixed += self.last_channels * self.num_classes
        return self._sum(self._flops, indices) + fixed

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        """Parameters of the stand-alone networks, shape (N,)."""
        fixed = self.stem_channels * (27 + 9 + self.first_channels + 4) + 2 * self.first_channels
        fixed += self.last_channels * (self._layers[-1][1] + 2)
        fixed += (self.last_channels + 1) * self.num_classes
        return self._sum(self._parameters, indices) + fixed

    def largest(self) -> ArchPath:
        """The last option of every choice: the largest block at full width."""
        return {name: options[-1] for name, options in self.choices.items()}

    def shared_key(self, path: ArchPath, layer: str) -> str:
        """Insert a layer's operation, such as 'layers.3.e6_k5_se.expand'."""
        if not layer.startswith('layers.'):
            return layer
        _, i, rest = layer.split('.', 2)
        return f'layers.{i}.{path[f"layer{i}.op"]}.{rest}'

    def subnet(self, path: ArchPath) -> dict:
        """Config of the stand-alone classifier of a path."""
        self.validate(path)
        blocks = [
            block and dict(
                out_channels=block.out_channels,
                hidden_channels=block.hidden_channels,
                kernel_size=block.kernel_size,
                stride=block.stride,
                squeeze_channels=block.squeeze_channels,
            )
            for block in self.blocks(path)
        ]  # fmt: skip
        backbone = dict(
            type='SearchedMobileNetV2',
            blocks=blocks,
            stem_channels=self.stem_channels,
            stem_stride=self.stem_stride,
            first_channels=self.first_channels,
            last_channels=self.last_channels,
        )
        return pooled_classifier(backbone, self.last_channels, self.num_classes)

    def describe(self) -> dict:
        """The base's description, plus the sizes that are not choices."""
        return dict(
            super().describe(),
            layers=[list(layer) for layer in self._layers],
            stem=[self.stem_channels, self.stem_stride, self.first_channels],
            last_channels=self.last_channels,
            widths=list(self.widths),
            divisor=self.divisor,
            num_classes=self.num_classes,
            input_size=self.input_size,
        )
