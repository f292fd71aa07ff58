"""Networks of NAS-Bench-201's cells: the one of a path, and the K-shot supernet."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmrel.models.layers import KShotBatchNorm2d, KShotConv2d, PathStatistics
from mmrel.registry import MODELS
from mmrel.search import NASBench201Space, Path, live_edges

_KERNELS = {'conv1x1': 1, 'conv3x3': 3}


def _average_pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _ends(edge: str) -> tuple[int, int]:
    _, source, target = edge.split('_')
    return int(source), int(target)


def _add(nodes: list[Tensor | None], target: int, x: Tensor) -> None:
    nodes[target] = x if nodes[target] is None else nodes[target] + x


class _ReLUConvNorm(nn.Sequential):
    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(F.relu(x)))


class _Cell(nn.Module):
    def __init__(self, cell: dict[str, str], channels: int) -> None:
        super().__init__()
        self.live = live_edges(cell)
        self.edges = nn.ModuleDict(
            {
                name: _ReLUConvNorm(channels, channels, _KERNELS[operation])
                for name, operation in self.live.items()
                if operation in _KERNELS
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [x, None, None, None]
        for name, operation in self.live.items():
            source, target = _ends(name)
            out = nodes[source]
            if operation in _KERNELS:
                out = self.edges[name](out)
            elif operation == 'avgpool3x3':
                out = _average_pool(out)
            _add(nodes, target, out)
        return torch.zeros_like(x) if nodes[3] is None else nodes[3]


class _Reduction(nn.Module):
    """Residual block of stride 2 that doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _ReLUConvNorm(channels // 2, channels, 3, 2)
        self.second = _ReLUConvNorm(channels, channels, 3)
        self.shortcut = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.shortcut_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 2, ceil_mode=True)
        return self.second(self.first(x)) + self.shortcut_norm(self.shortcut(pooled))


@MODELS.register_module()
class SearchedCellNetwork(BaseModule):
    """The stand-alone network of a path of :class:`NASBench201Space`.

    Args:
        cell (dict): Operations by edge, such as ``edge_0_1='conv3x3'``.
        channels (int): Of the first stage. Defaults to 16.
        cells (int): Of each stage. Defaults to 5.
        init_cfg (dict | list, optional): Defaults to None: as torch does it.

    Shape: (B, 3, H, W) to a tuple of (B, 4 * channels, H / 4, W / 4).

    Raises:
        ValueError: If an edge is missing or unknown, or an operation unknown.
    """

    def __init__(
        self,
        cell: dict[str, str],
        channels: int = 16,
        cells: int = 5,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        try:
            NASBench201Space().validate(cell)
        except ValueError as error:
            raise ValueError(f'backbone.cell is none: {error}') from error
        widths = channels, 2 * channels, 4 * channels
        self.stem = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(channels)
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Cell(cell, width) for _ in range(cells))) for width in widths
        )
        self.reductions = nn.ModuleList(_Reduction(width) for width in widths[1:])
        self.norm = nn.BatchNorm2d(widths[-1])

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """The last feature map, normalised and rectified."""
        x = self.stages[0](self.stem_norm(self.stem(x)))
        for reduction, stage in zip(self.reductions, list(self.stages)[1:], strict=True):
            x = stage(reduction(x))
        return (F.relu(self.norm(x)),)


class _KShotReLUConvNorm(nn.Module):
    def __init__(
        self, k: int, in_channels: int, channels: int, kernel: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = KShotConv2d(k, in_channels, channels, kernel, stride)
        self.norm = KShotBatchNorm2d(k, channels)

    def forward(self, x: Tensor, code: Tensor, statistics: PathStatistics | None) -> Tensor:
        return self.norm(self.conv(F.relu(x), code), code, statistics)


class _KShotCell(nn.Module):
    def __init__(self, space: NASBench201Space, k: int, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                name: nn.ModuleDict(
                    {
                        operation: _KShotReLUConvNorm(k, channels, channels, kernel)
                        for operation, kernel in _KERNELS.items()
                    }
                )
                for name in space.choices
            }
        )

    def forward(
        self, x: Tensor, live: dict[str, str], code: Tensor, statistics: PathStatistics | None
    ) -> Tensor:
        nodes: list[Tensor | None] = [x, None, None, None]
        for name, operation in live.items():
            source, target = _ends(name)
            out = nodes[source]
            if operation in _KERNELS:
                out = self.edges[name][operation](out, code, statistics)
            elif operation == 'avgpool3x3':
                out = _average_pool(out)
            _add(nodes, target, out)
        return torch.zeros_like(x) if nodes[3] is None else nodes[3]


class _KShotReduction(nn.Module):
    def __init__(self, k: int, channels: int) -> None:
        super().__init__()
        self.first = _KShotReLUConvNorm(k, channels // 2, channels, 3, 2)
        self.second = _KShotReLUConvNorm(k, channels, channels, 3)
        self.shortcut = KShotConv2d(k, channels // 2, channels, 1)
        self.shortcut_norm = KShotBatchNorm2d(k, channels)

    def forward(self, x: Tensor, code: Tensor, statistics: PathStatistics | None) -> Tensor:
        pooled = F.avg_pool2d(x, 2, ceil_mode=True)
        out = self.second(self.first(x, code, statistics), code, statistics)
        return out + self.shortcut_norm(self.shortcut(pooled, code), code, statistics)


@MODELS.register_module()
class KShotCellNetwork(BaseModule):
    """All paths of :class:`NASBench201Space` in one network with K weights.

    Args:
        space (NASBench201Space): The space.
        k (int): K; 1 is the one-shot supernet.
        init_cfg (dict | list, optional): Defaults to None: as torch does it.

    Raises:
        TypeError: If the space is another one.
    """

    def __init__(
        self, space: NASBench201Space, k: int, init_cfg: dict | list | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if not isinstance(space, NASBench201Space):
            raise TypeError(
                f'KShotCellNetwork needs space.type=NASBench201Space, not {type(space).__name__}'
            )
        self.space, self.k, self.out_channels = space, k, space.widths[-1]
        self.stem = KShotConv2d(k, 3, space.channels, 3)
        self.stem_norm = KShotBatchNorm2d(k, space.channels)
        self.stages = nn.ModuleList(
            nn.ModuleList(_KShotCell(space, k, width) for _ in range(space.cells))
            for width in space.widths
        )
        self.reductions = nn.ModuleList(_KShotReduction(k, width) for width in space.widths[1:])
        self.norm = KShotBatchNorm2d(k, space.widths[-1])

    def forward(
        self, x: Tensor, path: Path, code: Tensor, statistics: PathStatistics | None = None
    ) -> tuple[Tensor]:
        """The last feature map of a path.

        Args:
            x (Tensor): Images, (B, 3, H, W).
            path (Path): One of the space.
            code (Tensor): Its code, (K,).
            statistics (PathStatistics, optional): As :class:`KShotBatchNorm2d`
                takes them. Defaults to None.

        Returns:
            tuple[Tensor]: As :class:`SearchedCellNetwork`.
        """
        live = live_edges(path)
        x = self.stem_norm(self.stem(x, code), code, statistics)
        for i, stage in enumerate(self.stages):
            if i > 0:
                x = self.reductions[i - 1](x, code, statistics)
            for cell in stage:
                x = cell(x, live, code, statistics)
        return (F.relu(self.norm(x, code, statistics)),)

    def source_key(self, path: Path, key: str) -> str:
        """Our name of a tensor of :class:`SearchedCellNetwork`."""
        if '.edges.' not in key:
            return key
        cell, edge = key.split('.edges.')
        name, rest = edge.split('.', 1)
        return f'{cell}.edges.{name}.{path[name]}.{rest}'
