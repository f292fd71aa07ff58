from .arrays import CIFAR10, CIFAR100, STL10, Digits
from .cached_folder import CachedImageFolder
from .folders import ImageFolder, ImageNet, TinyImageNet
from .image_file import BrokenImageError
from .label_split import draw_label_split, format_label_split, read_label_split
from .multi_crop import KNNMultiCropDataset
from .seeding import EpochSampler, SampleIndex, SeededDraws, WholeSetSampler
from .semi_supervised import (
    SemiSupervisedDataset,
    SemiSupervisedSampler,
    semi_supervised_collate,
)
from .transforms import *

__all__ = [
    'BrokenImageError',
    'CIFAR10',
    'CIFAR100',
    'CachedImageFolder',
    'Digits',
    'EpochSampler',
    'ImageFolder',
    'KNNMultiCropDataset',
    'ImageNet',
    'STL10',
    'SampleIndex',
    'SeededDraws',
    'SemiSupervisedDataset',
    'SemiSupervisedSampler',
    'TinyImageNet',
    'WholeSetSampler',
    'draw_label_split',
    'format_label_split',
    'read_label_split',
    'semi_supervised_collate',
]
