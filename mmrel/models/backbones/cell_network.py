"""Networks of NAS-Bench-201 cells."""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrel.registry import MODELS
from mmrel.spaces import NASBench201Space, live_edges
from mmrel.utils.checks import check_count

from .block_cache import build_block
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
    def __init__(self, cell: dict[str, str], channels: int, norm_cfg: dict, place: str) -> None:
        super().__init__()
        self.live = live_edges(cell)
        # There are few edges and operations, but many cells.
        self.edges = nn.ModuleDict(
            {
                name: build_block(
                    f'{place}.{name}',
                    _ReLUConvNorm,
                    channels,
                    channels,
                    _KERNELS[operation],
                    norm_cfg,
                )
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

    def __init__(self, channels: int, norm_cfg: dict, shortcut_norm: bool) -> None:
        super().__init__()
        self.first = _ReLUConvNorm(channels // 2, channels, 3, norm_cfg, 2)
        self.second = _ReLUConvNorm(channels, channels, 3, norm_cfg)
        self.shortcut = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.shortcut_norm = build_map_norm(norm_cfg, channels) if shortcut_norm else nn.Identity()

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
        shortcut_norm (bool): Whether the residual blocks between the stages have a
            norm on their shortcuts, as in older checkpoints. NAS-Bench-201's have none.
            Defaults to False.
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
        shortcut_norm: bool = False,
    ) -> None:
        super().__init__(out_indices, frozen_stages, norm_eval, with_cp, init_cfg)
        try:
            NASBench201Space().validate(cell)
        except ValueError as error:
            raise ValueError(f'backbone.cell is not a valid cell: {error}') from error
        check_count(1, 'backbone', channels=channels, cells=cells)
        norm_cfg = norm_cfg or dict(type='BN')
        widths = channels, 2 * channels, 4 * channels
        check_map_norm(norm_cfg, widths)
        self.stem = build_block('stem', nn.Conv2d, 3, channels, 3, padding=1, bias=False)
        self.stem_norm = build_block('stem_norm', build_map_norm, norm_cfg, channels)
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Cell(cell, width, norm_cfg, f'{width}.{i}') for i in range(cells)))
            for width in widths
        )
        self.reductions = nn.ModuleList(
            build_block('reduction', _Reduction, width, norm_cfg, shortcut_norm)
            for width in widths[1:]
        )
        self.norm = build_block('norm', build_map_norm, norm_cfg, widths[-1])
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
