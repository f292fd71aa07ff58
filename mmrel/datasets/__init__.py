from .arrays import CIFAR10, CIFAR100, STL10, Digits
from .folders import ImageFolder, ImageNet, TinyImageNet
from .image_file import BrokenImageError
from .multi_crop import KNNMultiCropDataset
from .seeding import EpochSampler, SampleIndex, SeededDraws
from .transforms import *

__all__ = [
    'BrokenImageError',
    'CIFAR10',
    'CIFAR100',
    'Digits',
    'EpochSampler',
    'ImageFolder',
    'KNNMultiCropDataset',
    'ImageNet',
    'STL10',
    'SampleIndex',
    'SeededDraws',
    'TinyImageNet',
]
