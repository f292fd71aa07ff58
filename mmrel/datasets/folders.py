"""Data sets of image files in folders."""

import os

import mmpretrain.datasets as mmpretrain_datasets
from mmpretrain.datasets import CustomDataset

from mmrel.registry import DATASETS

from .image_file import without_broken
from .label_split import LabelSplit
from .seeding import SeededDraws


class _CheckedFolder(LabelSplit, SeededDraws):
    """Clear errors for a folder that is missing or empty, and ``skip_broken``.

    Args:
        skip_broken (bool): Decode every image once at the start and leave the
            broken ones out (their number is logged). Otherwise the first
            broken image that a run meets stops it. Defaults to False.
    """

    def __init__(self, *args, skip_broken: bool = False, **kwargs) -> None:
        self.skip_broken = skip_broken
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """The samples: dicts with ``img_path`` and, if labeled, ``gt_label``.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ValueError: If no image is found in it.
        """
        root = self.img_prefix
        is_local = '://' not in root
        if is_local and not os.path.isdir(root):
            raise FileNotFoundError(
                f'image folder {root!r} does not exist; set dataset.data_root (now '
                f'{self.data_root!r}) and dataset.data_prefix'
            )
        try:
            samples = super().load_data_list()
        except RuntimeError as error:
            if 'Found 0 files' not in str(error):
                raise
            samples = []
        if not samples:
            layout = 'one sub-folder a class' if self.with_label else 'images anywhere below it'
            raise ValueError(
                f'no image in folder {root!r}: expected {layout}, '
                f'extensions {", ".join(sorted(self.extensions))}'
                + ('; for images without classes set dataset.with_label=False' * self.with_label)
            )
        return without_broken(samples) if self.skip_broken else samples


@DATASETS.register_module()
class ImageFolder(_CheckedFolder, CustomDataset):
    """Any folder of images: one sub-folder a class, or unlabeled.

    mmpretrain's ``CustomDataset`` (annotation files work too) with seeded
    draws and clear errors.

    Args:
        data_root (str): The folder.
        with_label (bool): Sub-folders are classes. With False, all images
            below the folder, without labels. Defaults to True.
        skip_broken (bool): Leave out images that cannot be decoded: all are
            decoded once at the start. Defaults to False.
        label_split (str, optional): A list of the images to use, from
            ``tools/dataset_converters/make_label_split.py``. Defaults to None:
            all.
        without_split (str, optional): Such a list of the images to leave out.
            Defaults to None: none.
        **kwargs: As mmpretrain's ``CustomDataset``.
    """


@DATASETS.register_module()
class ImageNet(_CheckedFolder, mmpretrain_datasets.ImageNet):
    """mmpretrain's ``ImageNet`` with seeded draws and clear errors."""


@DATASETS.register_module()
class TinyImageNet(_CheckedFolder, CustomDataset):
    """Tiny ImageNet-200: 64-px images of 200 classes.

    The folder is the unpacked ``tiny-imagenet-200``: ``train/WNID/images`` and
    ``val/images`` with ``val/val_annotations.txt``.

    Args:
        data_root (str): The folder ``tiny-imagenet-200``.
        split (str): 'train' or 'val'. Defaults to 'train'.
        **kwargs: As :class:`ImageFolder`.

    Raises:
        ValueError: If ``split`` is neither.
    """

    def __init__(self, data_root: str, split: str = 'train', **kwargs) -> None:
        if split not in ('train', 'val'):
            raise ValueError(f"dataset.split={split!r} must be 'train' or 'val'")
        self.split = split
        prefix = 'train' if split == 'train' else 'val/images'
        super().__init__(data_root=data_root, data_prefix=prefix, **kwargs)

    def _find_samples(self) -> list[tuple[str, int]]:
        if self.split == 'train':
            return super()._find_samples()
        train = os.path.join(self.data_root, 'train')
        classes = sorted(entry.name for entry in os.scandir(train) if entry.is_dir())
        index = {name: i for i, name in enumerate(classes)}
        self._metainfo['classes'] = tuple(classes)
        table = os.path.join(self.data_root, 'val', 'val_annotations.txt')
        with open(table) as lines:
            rows = [line.split('\t') for line in lines if line.strip()]
        return [(name, index[wnid]) for name, wnid, *_ in rows]
