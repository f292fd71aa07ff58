from .resnet_small_image import ResNetSmallImage

__all__ = ['ResNetSmallImage']
