"""ResNet for images of 32 to 96 pixels."""

from mmcv.cnn import build_conv_layer
from mmpretrain.models.backbones import ResNet
from torch import nn

from mmrel.registry import MODELS


@MODELS.register_module()
class ResNetSmallImage(ResNet):
    """mmpretrain's ResNet with a 3x3 stride-1 stem.

    With ``max_pool=False`` it is the stem for 32-px images (as mmpretrain's
    ``ResNet_CIFAR``), with ``max_pool=True`` the one for 64- and 96-px images.
    Keys are those of mmpretrain's ``ResNet``.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        max_pool (bool): Keep the 3x3 stride-2 max-pool after the stem.
            Defaults to False.
        **kwargs: As mmpretrain's ``ResNet``. ``stem_channels`` and
            ``base_channels`` are usually equal.
    """

    def __init__(self, depth: int, max_pool: bool = False, **kwargs) -> None:
        super().__init__(depth, **kwargs)
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
