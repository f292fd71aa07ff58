"""Wide residual networks for 32-px images."""

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn

from mmrel.registry import MODELS
from mmrel.utils.checks import check_count

from .staged import StagedBackbone, build_map_norm, check_map_norm


class _PreActivationBlock(BaseModule):
    """Norm, leaky ReLU and a 3x3 convolution, twice, with a shortcut."""

    def __init__(
        self, in_channels: int, channels: int, stride: int, norm_cfg: dict, negative_slope: float
    ) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.norm1 = build_map_norm(norm_cfg, in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.norm2 = build_map_norm(norm_cfg, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.shortcut = None
        if in_channels != channels or stride != 1:
            self.shortcut = nn.Conv2d(in_channels, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, channels, H / stride, W / stride)."""
        out = F.leaky_relu(self.norm1(x), self.negative_slope)
        identity = x if self.shortcut is None else self.shortcut(out)
        out = F.leaky_relu(self.norm2(self.conv1(out)), self.negative_slope)
        return identity + self.conv2(out)


@MODELS.register_module()
class WideResNet(StagedBackbone):
    """WRN-``depth``-``widen_factor`` with pre-activation, without a classifier.

    Source: arXiv:1605.07146. Norms and slope follow FixMatch (arXiv:2001.07685),
    which uses WRN-28-2 and WRN-28-8 on CIFAR: leaky ReLU with slope 0.1, and BN
    with momentum 0.001.

    Outputs, with w = ``widen_factor``:

    ===== ======== ====== ============================
    index channels stride output
    ===== ======== ====== ============================
    0     16 w     1      output of the last block
    1     32 w     2      output of the last block
    2     64 w     4      after norm and leaky ReLU
    ===== ======== ====== ============================

    Args:
        depth (int): Depth of the form 6n + 4. Defaults to 28.
        widen_factor (int): w, width multiplier. Defaults to 2.
        norm_cfg (dict, optional): Defaults to None: ``dict(type='BN',
            momentum=0.001, eps=0.001)``. GN: ``num_groups`` must divide 16.
        negative_slope (float): Slope of the leaky ReLU; 0 gives the ReLU of the WRN
            paper. Defaults to 0.1.
        out_indices (int | Sequence[int]): Defaults to -1, the last stage.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n the stem and the
            first n stages; 3 freezes the last norm too. Defaults to -1.
        norm_eval (bool): Keep batch norms in eval mode. Defaults to False.
        with_cp (bool): Recompute activations in the backward pass (gradient
            checkpointing). Defaults to False.
        init_cfg (dict | list, optional): Defaults to None: Kaiming for
            convolutions, ones for norms.

    Shape: (B, 3, H, W) to a tuple with one map (B, channels, H / stride,
    W / stride), rounded up, for each of ``out_indices``.

    Raises:
        ValueError: If ``depth``, ``widen_factor``, ``out_indices``,
            ``frozen_stages`` or ``norm_cfg`` is not valid.
    """

    def __init__(
        self,
        depth: int = 28,
        widen_factor: int = 2,
        norm_cfg: dict | None = None,
        negative_slope: float = 0.1,
        out_indices: int | Sequence[int] = -1,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            out_indices,
            frozen_stages,
            norm_eval,
            with_cp,
            init_cfg
            or [
                dict(type='Kaiming', layer=['Conv2d'], a=negative_slope, nonlinearity='leaky_relu'),
                dict(type='Constant', val=1, layer=['_BatchNorm']),
            ],
        )
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f'backbone.depth={depth} is not 6n + 4 (10, 16, 28, 40, ...)')
        check_count(1, 'backbone', widen_factor=widen_factor)
        norm_cfg = norm_cfg or dict(type='BN', momentum=0.001, eps=0.001)
        widths = [16 * widen_factor * 2**i for i in range(3)]
        check_map_norm(norm_cfg, [16, *widths])
        self.negative_slope = negative_slope
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        width, self.stages = 16, nn.ModuleList()
        for i, channels in enumerate(widths):
            blocks = []
            for j in range((depth - 4) // 6):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(
                    _PreActivationBlock(width, channels, stride, norm_cfg, negative_slope)
                )
                width = channels
            self.stages.append(Sequential(*blocks))
        self.norm = build_map_norm(norm_cfg, width)
        self._set_up(widths, (1, 2, 4))

    @property
    def num_stages(self) -> int:
        """Number of stages: 3."""
        return len(self.stages)

    def _stem_modules(self) -> list[nn.Module]:
        return [self.conv1]

    def _stage_modules(self, stage: int) -> list[nn.Module]:
        return [self.stages[stage], *([self.norm] if stage == self.num_stages - 1 else [])]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the stages at ``out_indices``."""
        return tuple(self._outputs(self.conv1(x)))

    def _stage(self, stage: int, x: Tensor) -> Tensor:
        for block in cast(nn.Sequential, self.stages[stage]):
            x = self._run(block, x)
        if stage < self.num_stages - 1:
            return x
        return F.leaky_relu(self.norm(x), self.negative_slope)
