"""Datasets of image files in folders."""

import os
from collections.abc import Sequence
from typing import Any

import mmpretrain.datasets as mmpretrain_datasets
from mmpretrain.datasets import CustomDataset

from mmrel.registry import DATASETS

from .decoded_cache import DecodedCache, reader_of
from .folder_scan import (
    FolderScan,
    is_hidden,
    log_found,
    no_image_message,
    scan_folder,
    shown,
    unreadable_error,
)
from .image_file import without_broken
from .image_formats import check_extensions, has_extension
from .label_split import LabelSplit
from .seeding import SeededDraws


class _CheckedFolder(LabelSplit, SeededDraws, DecodedCache):
    """Read a folder, and log on one line what is read and what is left out.

    Args:
        skip_broken (bool): Decode every image once at the start and skip the
            broken ones (their number is logged). Otherwise the run stops at the
            first broken image. Defaults to False.
        extensions (str | Sequence[str], optional): Extensions of image files.
            Defaults to None: every format that the installed Pillow reads.
    """

    def __init__(
        self,
        *args: Any,
        skip_broken: bool = False,
        extensions: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.skip_broken = skip_broken
        self._left_out: list[str] = []
        self._empty: list[str] = []
        self._found = 0
        super().__init__(*args, extensions=check_extensions(extensions), **kwargs)

    def full_init(self) -> None:
        """Load all samples, and log their number and what is left out."""
        if self._fully_initialized:
            return
        super().full_init()
        chosen = f'{len(self)} of ' if len(self) != self._found else ''
        classes = f' in {len(self.CLASSES)} classes' if self.with_label and self.CLASSES else ''
        empty = f' ({len(self._empty)} without images: {shown(self._empty)})' if self._empty else ''
        log_found(self.img_prefix, f'{chosen}{self._found} images{classes}{empty}', self._left_out)

    def load_data_list(self) -> list[dict]:
        """The samples: dicts with ``img_path`` and, if they have labels, ``gt_label``.

        Raises:
            FileNotFoundError: If the folder does not exist.
            OSError: If a folder cannot be listed and ``skip_broken`` is not set.
            ValueError: If the folder contains no image, or the number of its
                subfolders differs from the dataset's number of classes.
        """
        root = self.img_prefix
        is_local = '://' not in root
        if is_local and not os.path.isdir(root):
            raise FileNotFoundError(
                f'image folder {root!r} does not exist; set dataset.data_root (now '
                f'{self.data_root!r}) and dataset.data_prefix'
            )
        self._left_out, self._empty = [], []
        samples = super().load_data_list()
        if not samples:
            layout = (
                'one subfolder of images per class' if self.with_label else 'images at any depth'
            )
            hint = '; for images without classes, set dataset.with_label=False' * self.with_label
            raise ValueError(no_image_message(root, layout, self.extensions, self._left_out) + hint)
        whole = without_broken(samples, reader_of(self.pipeline)) if self.skip_broken else samples
        self._found = len(whole)
        if self._found < len(samples):
            self._left_out.append(f'{len(samples) - self._found} broken')
        return self.with_store(whole, root)

    def is_valid_file(self, filename: str) -> bool:
        """Whether a file has an image extension."""
        return has_extension(filename, self.extensions)

    def _scan(self) -> FolderScan:
        """The folder's contents; what is left out is kept for the log."""
        scan = scan_folder(self.img_prefix, self.extensions)
        if scan.unreadable and not self.skip_broken:
            raise unreadable_error(self.img_prefix, scan)
        self._left_out = scan.left_out()
        return scan

    def _find_samples(self) -> list[tuple[str, int]] | list[str]:
        """Like mmpretrain's, but skips hidden names and keeps empty class folders."""
        scan = self._scan()
        if not self.with_label:
            return scan.files
        self.folder_to_idx = {name: i for i, name in enumerate(scan.folders)}
        if self.CLASSES is None:
            self._metainfo['classes'] = tuple(scan.folders)
        elif len(self.CLASSES) != len(scan.folders):
            raise ValueError(
                f'image folder {self.img_prefix!r} has {len(scan.folders)} subfolders, but the '
                f'dataset has {len(self.CLASSES)} classes'
            )
        files: dict[str, list[str]] = {name: [] for name in scan.folders}
        for path in scan.files:
            folder, _, below = path.partition('/')
            if below:
                files[folder].append(path)
        outside = len(scan.files) - sum(map(len, files.values()))
        if outside:
            self._left_out.append(f'{outside} images outside the class folders')
        self._empty = [name for name in scan.folders if not files[name]]
        return [(path, i) for i, name in enumerate(scan.folders) for path in files[name]]


@DATASETS.register_module()
class ImageFolder(_CheckedFolder, CustomDataset):
    """Any folder of images, with one subfolder per class or without labels.

    mmpretrain's ``CustomDataset`` (annotation files work too) with seeded
    draws and clear errors.

    Args:
        data_root (str): The folder.
        with_label (bool): Whether the subfolders are classes. If False, all
            images at any depth are read, without labels. Defaults to True.
        skip_broken (bool): Skip images that cannot be decoded. To find them, all
            images are decoded once at the start. Defaults to False.
        extensions (str | Sequence[str], optional): Extensions of image files,
            such as '.webp,.png'. Defaults to None: every format that the
            installed Pillow reads.
        label_split (str, optional): A list of the images to use, from
            ``tools/dataset_converters/make_label_split.py``. Defaults to None:
            use all.
        without_split (str, optional): A list of the images to leave out, in the
            same format. Defaults to None: leave out none.
        cache (str | bool): Keep the decoded images in a file (:class:`.DecodedCache`):
            'auto' (large sets of small images), True or False. Defaults to 'auto'.
        **kwargs: Passed to mmpretrain's ``CustomDataset``.
    """


@DATASETS.register_module()
class ImageNet(_CheckedFolder, mmpretrain_datasets.ImageNet):
    """mmpretrain's ``ImageNet`` with seeded draws and clear errors."""


@DATASETS.register_module()
class TinyImageNet(_CheckedFolder, CustomDataset):
    """Tiny ImageNet-200: 64-px images of 200 classes.

    The folder is the unpacked archive, with ``train/WNID/images``, ``val/images``
    and ``val/val_annotations.txt``.

    Args:
        data_root (str): The folder ``tiny-imagenet-200``.
        split (str): 'train' or 'val'. Defaults to 'train'.
        **kwargs: As for :class:`ImageFolder`.

    Raises:
        ValueError: If ``split`` is anything else.
    """

    def __init__(self, data_root: str, split: str = 'train', **kwargs: Any) -> None:
        if split not in ('train', 'val'):
            raise ValueError(f"dataset.split={split!r} must be 'train' or 'val'")
        self.split = split
        prefix = 'train' if split == 'train' else 'val/images'
        super().__init__(data_root=data_root, data_prefix=prefix, **kwargs)

    def _find_samples(self) -> list[tuple[str, int]] | list[str]:
        if self.split == 'train':
            return super()._find_samples()
        train = os.path.join(self.data_root, 'train')
        folders = (entry.name for entry in os.scandir(train) if entry.is_dir())
        classes = sorted(name for name in folders if not is_hidden(name))
        index = {name: i for i, name in enumerate(classes)}
        self._metainfo['classes'] = tuple(classes)
        table = os.path.join(self.data_root, 'val', 'val_annotations.txt')
        with open(table) as lines:
            rows = [line.split('\t') for line in lines if line.strip()]
        return [(name, index[wnid]) for name, wnid, *_ in rows]
