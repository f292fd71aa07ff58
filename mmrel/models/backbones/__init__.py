from .block_cache import build_block
from .cell_network import SearchedCellNetwork
from .macro_network import SearchedMacroNetwork
from .mobilenet_v2_se import SearchedMobileNetV2
from .resnet_small_image import ResNetSmallImage
from .searched_vit import SearchedViT
from .wide_resnet import WideResNet

__all__ = [
    'ResNetSmallImage',
    'SearchedCellNetwork',
    'SearchedMacroNetwork',
    'SearchedMobileNetV2',
    'SearchedViT',
    'WideResNet',
    'build_block',
]
