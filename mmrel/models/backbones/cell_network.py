"""Networks of NAS-Bench-201 cells: the network of one path, and the K-shot supernet."""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmrel.models.layers import KShotBatchNorm2d, KShotConv2d, PathStatistics
from mmrel.registry import MODELS
from mmrel.search import NASBench201Space, Path, live_edges

from .staged import StagedBackbone, build_map_norm, check_map_norm

_KERNELS = {'conv1x1': 1, 'conv3x3': 3}


def _average_pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _ends(edge: str) -> tuple[int, int]:
    _, source, target = edge.split('_')
    return int(source), int(target)


def _add(nodes: list[Tensor | None], target: int, x: Tensor) -> None:
    before = nodes[target]
    nodes[target] = x if before is None else before + x


class _ReLUConvNorm(nn.Sequential):
    def __init__(
        self, in_channels: int, channels: int, kernel: int, norm_cfg: dict, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False)
        self.norm = build_map_norm(norm_cfg, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(F.relu(x)))


class _Cell(nn.Module):
    def __init__(self, cell: dict[str, str], channels: int, norm_cfg: dict) -> None:
        super().__init__()
        self.live = live_edges(cell)
        self.edges = nn.ModuleDict(
            {
                name: _ReLUConvNorm(channels, channels, _KERNELS[operation], norm_cfg)
                for name, operation in self.live.items()
                if operation in _KERNELS
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [x, None, None, None]
        for name, operation in self.live.items():
            source, target = _ends(name)
            out: Any = nodes[source]
            if operation in _KERNELS:
                out = self.edges[name](out)
            elif operation == 'avgpool3x3':
                out = _average_pool(out)
            _add(nodes, target, out)
        return torch.zeros_like(x) if nodes[3] is None else nodes[3]


class _Reduction(nn.Module):
    """Residual block with stride 2 that doubles the channels."""

    def __init__(self, channels: int, norm_cfg: dict) -> None:
        super().__init__()
        self.first = _ReLUConvNorm(channels // 2, channels, 3, norm_cfg, 2)
        self.second = _ReLUConvNorm(channels, channels, 3, norm_cfg)
        self.shortcut = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.shortcut_norm = build_map_norm(norm_cfg, channels)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 2, ceil_mode=True)
        return self.second(self.first(x)) + self.shortcut_norm(self.shortcut(pooled))


@MODELS.register_module()
class SearchedCellNetwork(StagedBackbone):
    """The stand-alone network of a path of :class:`NASBench201Space`.

    Outputs, with C = ``channels``:

    ===== ======== ====== =======================
    index channels stride output
    ===== ======== ====== =======================
    0     C        1      output of the last cell
    1     2 C      2      output of the last cell
    2     4 C      4      after norm and ReLU
    ===== ======== ====== =======================

    Args:
        cell (dict): Operations by edge, such as ``edge_0_1='conv3x3'``.
        channels (int): C, channels of the first stage. Defaults to 16.
        cells (int): Number of cells per stage. Defaults to 5.
        norm_cfg (dict, optional): Defaults to None: ``dict(type='BN')``. GN:
            ``num_groups`` must divide ``channels``.
        out_indices (int | Sequence[int]): Defaults to -1, the last stage.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n the stem and the
            first n stages; 3 freezes the last norm too. Defaults to -1.
        norm_eval (bool): Keep batch norms in eval mode. Defaults to False.
        with_cp (bool): Recompute activations in the backward pass (gradient
            checkpointing). Defaults to False.
        init_cfg (dict | list, optional): Defaults to None: torch's own
            initialization.

    Shape: (B, 3, H, W) to a tuple with one map (B, channels, H / stride,
    W / stride), rounded up, for each of ``out_indices``.

    Raises:
        ValueError: If an edge is missing or unknown, an operation is unknown, or
            ``out_indices``, ``frozen_stages`` or ``norm_cfg`` is not valid.
    """

    def __init__(
        self,
        cell: dict[str, str],
        channels: int = 16,
        cells: int = 5,
        norm_cfg: dict | None = None,
        out_indices: int | Sequence[int] = -1,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(out_indices, frozen_stages, norm_eval, with_cp, init_cfg)
        try:
            NASBench201Space().validate(cell)
        except ValueError as error:
            raise ValueError(f'backbone.cell is not a valid cell: {error}') from error
        for key, value in (('channels', channels), ('cells', cells)):
            if value < 1:
                raise ValueError(f'backbone.{key}={value} must be at least 1')
        norm_cfg = norm_cfg or dict(type='BN')
        widths = channels, 2 * channels, 4 * channels
        check_map_norm(norm_cfg, widths)
        self.stem = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.stem_norm = build_map_norm(norm_cfg, channels)
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Cell(cell, width, norm_cfg) for _ in range(cells))) for width in widths
        )
        self.reductions = nn.ModuleList(_Reduction(width, norm_cfg) for width in widths[1:])
        self.norm = build_map_norm(norm_cfg, widths[-1])
        self._set_up(widths, (1, 2, 4))

    @property
    def num_stages(self) -> int:
        """Number of stages: 3."""
        return len(self.stages)

    def _stem_modules(self) -> list[nn.Module]:
        return [self.stem, self.stem_norm]

    def _stage_modules(self, stage: int) -> list[nn.Module]:
        return [
            *([self.reductions[stage - 1]] if stage else []),
            self.stages[stage],
            *([self.norm] if stage == self.num_stages - 1 else []),
        ]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the stages at ``out_indices``."""
        return tuple(self._outputs(self.stem_norm(self.stem(x))))

    def _stage(self, stage: int, x: Tensor) -> Tensor:
        if stage:
            x = self._run(self.reductions[stage - 1], x)
        for cell in cast(nn.Sequential, self.stages[stage]):
            x = self._run(cell, x)
        return x if stage < self.num_stages - 1 else F.relu(self.norm(x))


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
            out: Any = nodes[source]
            if operation in _KERNELS:
                operations = cast(nn.ModuleDict, self.edges[name])
                out = operations[operation](out, code, statistics)
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
    """All paths of :class:`NASBench201Space` in one network with K weights per layer.

    Args:
        space (NASBench201Space): The space.
        k (int): K. 1 gives the one-shot supernet.
        init_cfg (dict | list, optional): Defaults to None: torch's own
            initialization.

    Raises:
        TypeError: If the space has another type.
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
            path (Path): A path of the space.
            code (Tensor): Its code, (K,).
            statistics (PathStatistics, optional): As for
                :class:`KShotBatchNorm2d`. Defaults to None.

        Returns:
            tuple[Tensor]: As from :class:`SearchedCellNetwork`.
        """
        live = live_edges(path)
        x = self.stem_norm(self.stem(x, code), code, statistics)
        for i, stage in enumerate(self.stages):
            if i > 0:
                x = self.reductions[i - 1](x, code, statistics)
            for cell in cast(nn.ModuleList, stage):
                x = cell(x, live, code, statistics)
        return (F.relu(self.norm(x, code, statistics)),)

    def source_key(self, path: Path, key: str) -> str:
        """The supernet's key for a key of :class:`SearchedCellNetwork`."""
        if '.edges.' not in key:
            return key
        cell, edge = key.split('.edges.')
        name, rest = edge.split('.', 1)
        return f'{cell}.edges.{name}.{path[name]}.{rest}'
