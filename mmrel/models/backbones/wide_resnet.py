"""Wide residual networks for 32-px images."""

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn

from mmrel.registry import MODELS


class _PreActivationBlock(BaseModule):
    """Norm, leaky ReLU and a 3x3 convolution, twice; a shortcut around."""

    def __init__(
        self, in_channels: int, channels: int, stride: int, norm_cfg: dict, negative_slope: float
    ) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.norm1 = build_norm_layer(norm_cfg, in_channels)[1]
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.norm2 = build_norm_layer(norm_cfg, channels)[1]
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
class WideResNet(BaseModule):
    """WRN-``depth``-``widen_factor`` with pre-activation, without a classifier.

    Source: arXiv:1605.07146. Norms and slope are those of FixMatch
    (arXiv:2001.07685), whose CIFAR networks are WRN-28-2 and WRN-28-8: leaky
    ReLU 0.1, BN whose running statistics move by 0.001 a step.

    Args:
        depth (int): 6n + 4. Defaults to 28.
        widen_factor (int): The last stage has 64 times as many channels.
            Defaults to 2.
        norm_cfg (dict, optional): Defaults to None: ``dict(type='BN',
            momentum=0.001, eps=0.001)``.
        negative_slope (float): Of the leaky ReLU; 0 is the WRN paper's ReLU.
            Defaults to 0.1.
        init_cfg (dict | list, optional): Defaults to None: Kaiming for
            convolutions, ones for norms.

    Shape: (B, 3, H, W) to a tuple of (B, 64 * widen_factor, H / 4, W / 4).

    Raises:
        ValueError: If ``depth`` or ``widen_factor`` is none of a WRN.
    """

    def __init__(
        self,
        depth: int = 28,
        widen_factor: int = 2,
        norm_cfg: dict | None = None,
        negative_slope: float = 0.1,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            init_cfg=init_cfg
            or [
                dict(type='Kaiming', layer=['Conv2d'], a=negative_slope, nonlinearity='leaky_relu'),
                dict(type='Constant', val=1, layer=['_BatchNorm']),
            ]
        )
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f'backbone.depth={depth} is not 6n + 4 (10, 16, 28, 40, ...)')
        if widen_factor < 1:
            raise ValueError(f'backbone.widen_factor={widen_factor} must be at least 1')
        norm_cfg = norm_cfg or dict(type='BN', momentum=0.001, eps=0.001)
        self.negative_slope = negative_slope
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        width, self.stages = 16, nn.ModuleList()
        for i in range(3):
            blocks = []
            for j in range((depth - 4) // 6):
                channels, stride = 16 * widen_factor * 2**i, 2 if i > 0 and j == 0 else 1
                blocks.append(
                    _PreActivationBlock(width, channels, stride, norm_cfg, negative_slope)
                )
                width = channels
            self.stages.append(Sequential(*blocks))
        self.norm = build_norm_layer(norm_cfg, width)[1]

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """The last feature map, normalised and rectified."""
        x = self.conv1(x)
        for stage in self.stages:
            x = stage(x)
        return (F.leaky_relu(self.norm(x), self.negative_slope),)
