from .cell_network import KShotCellNetwork, SearchedCellNetwork
from .mobilenet_v2_se import KShotMobileNetV2SE, SearchedMobileNetV2
from .resnet_small_image import ResNetSmallImage
from .searched_vit import SearchedViT
from .vitas_supernet import ViTASSupernet
from .wide_resnet import WideResNet

__all__ = [
    'KShotCellNetwork',
    'KShotMobileNetV2SE',
    'ResNetSmallImage',
    'SearchedCellNetwork',
    'SearchedMobileNetV2',
    'SearchedViT',
    'ViTASSupernet',
    'WideResNet',
]
