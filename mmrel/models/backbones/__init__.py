from .resnet_small_image import ResNetSmallImage
from .wide_resnet import WideResNet

__all__ = ['ResNetSmallImage', 'WideResNet']
