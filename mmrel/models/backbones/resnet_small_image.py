"""ResNet for images of 32 to 96 pixels."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_conv_layer
from mmpretrain.models.backbones import ResNet
from torch import nn

from mmrel.registry import MODELS

from .staged import check_frozen_stages, check_out_indices


@MODELS.register_module()
class ResNetSmallImage(ResNet):
    """mmpretrain's ResNet with a 3x3 stride-1 stem.

    Use ``max_pool=False`` for 32-px images (as mmpretrain's ``ResNet_CIFAR``), and
    ``max_pool=True`` for 64- and 96-px images. The keys of the state dict match
    mmpretrain's ``ResNet``.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        max_pool (bool): Keep the 3x3 stride-2 max-pool after the stem.
            Defaults to False.
        num_stages (int): 1 to 4. Defaults to 4.
        out_indices (int | Sequence[int]): Stages to output. Their strides are 1,
            2, 4 and 8, or twice that with ``max_pool``. Defaults to -1, the last.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n the stem and the
            first n stages. Defaults to -1.
        **kwargs: As mmpretrain's ``ResNet``. ``stem_channels`` and
            ``base_channels`` are usually equal.

    Raises:
        ValueError: If ``out_indices`` or ``frozen_stages`` is not valid.
    """

    def __init__(
        self,
        depth: int,
        max_pool: bool = False,
        num_stages: int = 4,
        out_indices: int | Sequence[int] = -1,
        frozen_stages: int = -1,
        **kwargs: Any,
    ) -> None:
        check_frozen_stages(frozen_stages, num_stages)
        super().__init__(
            depth,
            num_stages=num_stages,
            out_indices=check_out_indices(out_indices, num_stages),
            frozen_stages=frozen_stages,
            **kwargs,
        )
        if not max_pool:
            self.maxpool = nn.Identity()

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        super()._make_stem_layer(in_channels, stem_channels)
        self.conv1 = build_conv_layer(
            self.conv_cfg,
            in_channels,
            stem_channels,
            kernel_size=3,
            stride=1,
            padding=1,
            bias=False,
        )
