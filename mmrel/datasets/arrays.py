"""Datasets that are held in memory."""

from typing import Any

import mmpretrain.datasets as mmpretrain_datasets
import numpy as np
from mmpretrain.datasets import BaseDataset
from PIL import Image

from mmrel.registry import DATASETS

from .label_split import LabelSplit
from .seeding import SeededDraws


@DATASETS.register_module()
class CIFAR10(LabelSplit, SeededDraws, mmpretrain_datasets.CIFAR10):
    """mmpretrain's ``CIFAR10`` (RGB arrays) with seeded draws and label splits."""


@DATASETS.register_module()
class CIFAR100(LabelSplit, SeededDraws, mmpretrain_datasets.CIFAR100):
    """mmpretrain's ``CIFAR100`` (RGB arrays) with seeded draws and label splits."""


class _ArrayDataset(LabelSplit, SeededDraws, BaseDataset):
    """Images in one uint8 array (N, H, W, 3), with labels (-1: no label)."""

    _images: np.ndarray

    def _load_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def load_data_list(self) -> list[dict]:
        """The labels; the images stay in the array, outside the serialized list."""
        self._images, labels = self._load_arrays()
        return [
            dict(row=row, **(dict(gt_label=int(y)) if y >= 0 else {}))
            for row, y in enumerate(labels)
        ]

    def get_data_info(self, idx: int) -> dict:
        """One sample: its label and its image, RGB (H, W, 3) uint8."""
        info = super().get_data_info(idx)
        # `sample_idx` would be wrong: with `indices`, it counts within the subset.
        return dict(info, img=self._images[info.pop('row')])


@DATASETS.register_module()
class Digits(_ArrayDataset):
    """scikit-learn's 1,797 handwritten digits, as 32-px RGB images.

    They ship with scikit-learn, so nothing is downloaded. A fixed,
    class-balanced fifth is the test set.

    Args:
        split (str): 'train' (1,437 images) or 'test' (360). Defaults to
            'train'.
        **kwargs: Passed to :class:`.LabelSplit` and mmpretrain's ``BaseDataset``.

    Raises:
        ValueError: If ``split`` is anything else.
    """

    METAINFO = dict(classes=tuple('0123456789'))

    def __init__(self, split: str = 'train', **kwargs: Any) -> None:
        if split not in ('train', 'test'):
            raise ValueError(f"dataset.split={split!r} must be 'train' or 'test'")
        self.split = split
        kwargs.setdefault('ann_file', '')
        super().__init__(**kwargs)

    def _load_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        images, labels = load_digits(return_X_y=True)
        rows = np.arange(len(labels))
        train, test = train_test_split(rows, test_size=0.2, random_state=0, stratify=labels)
        rows = np.sort(train if self.split == 'train' else test)
        # 8 x 8 pixels with 17 gray levels.
        gray = (images[rows].reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
        large = [Image.fromarray(x).resize((32, 32), Image.Resampling.BICUBIC) for x in gray]
        rgb = np.repeat(np.stack([np.asarray(x) for x in large])[..., None], 3, axis=-1)
        return rgb, labels[rows]


@DATASETS.register_module()
class STL10(_ArrayDataset):
    """STL-10 through torchvision: 96-px images of 10 classes.

    Args:
        data_root (str): Folder that contains ``stl10_binary``, or to download it to.
        split (str): 'train', 'test', 'unlabeled' or 'train+unlabeled' (105,000
            images, the usual pre-training set). Defaults to 'train+unlabeled'.
        download (bool): Download the archive if it is missing. Defaults to
            False.
        **kwargs: Passed to :class:`.LabelSplit` and mmpretrain's ``BaseDataset``.
    """

    METAINFO = dict(
        classes=(
            'airplane', 'bird', 'car', 'cat', 'deer', 'dog', 'horse', 'monkey', 'ship', 'truck',
        )
    )  # fmt: skip

    def __init__(
        self,
        data_root: str,
        split: str = 'train+unlabeled',
        download: bool = False,
        **kwargs: Any,
    ) -> None:
        self.split = split
        self.download = download
        kwargs.setdefault('ann_file', '')
        super().__init__(data_root=data_root, **kwargs)

    def _load_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        from torchvision.datasets import STL10 as TorchvisionSTL10

        try:
            data = TorchvisionSTL10(self.data_root, split=self.split, download=self.download)
        except RuntimeError as error:
            raise FileNotFoundError(
                f'STL-10 is not in {self.data_root!r} ({error}); set dataset.data_root, or '
                'dataset.download=True'
            ) from error
        return data.data.transpose(0, 2, 3, 1), data.labels
