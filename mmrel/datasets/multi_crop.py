"""K-NN multi-crop: crops of an image's neighbours as further views."""

from typing import Any

import torch
from mmcv.transforms import Compose
from mmengine.dataset import BaseDataset
from torch import Tensor
from torch.utils.data import Dataset

from mmrel.registry import DATASETS

from .seeding import seeded_draws


@DATASETS.register_module()
class KNNMultiCropDataset(Dataset):
    """A data set whose samples also have crops of the image's nearest neighbours.

    For each of ``num_crops`` one of the image's K neighbours is drawn, all
    different while there are enough, read by ``crop_pipeline``, and put behind
    the sample's own views. Draws follow from (seed, epoch, index) as the views'
    do, and come after them: the views are those of the data set inside.

    The neighbours are a table that :class:`KNNMultiCropHook` refreshes. Until
    then an image is its own neighbour (an ordinary multi-crop). The table lies
    in shared memory, so that workers that live on see it change.
    Source: WCL (arXiv:2110.04770), K-NN multi-crop.

    Args:
        dataset (dict | BaseDataset): The data set inside; its pipeline gives a list
            of views (``MultiView``).
        num_neighbours (int): K.
        num_crops (int): Further views of a sample.
        crop_pipeline (list[dict]): From a sample to one packed view: load,
            crop (its size is here), pack.

    Raises:
        ValueError: If a number is below 1, or the data set has no K + 1 images.
    """

    def __init__(
        self, dataset: dict | BaseDataset, num_neighbours: int, num_crops: int, crop_pipeline: list
    ) -> None:
        for key, value in (('num_neighbours', num_neighbours), ('num_crops', num_crops)):
            if value < 1:
                raise ValueError(f'dataset.{key}={value} must be at least 1')
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.dataset.full_init()
        if len(self) <= num_neighbours:
            raise ValueError(
                f'dataset.num_neighbours={num_neighbours} needs {num_neighbours + 1} images or '
                f'more, the data set has {len(self)}'
            )
        self.num_crops = num_crops
        self.crop_pipeline = Compose(crop_pipeline)
        own = torch.arange(len(self), dtype=torch.int32)[:, None]
        self.neighbours = own.repeat(1, num_neighbours).share_memory_()

    @property
    def metainfo(self) -> dict:
        """That of the data set inside."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def set_neighbours(self, table: Tensor) -> None:
        """Replace the neighbours, for workers that are running too.

        Args:
            table (Tensor): Images by index, (N, K).

        Raises:
            ValueError: If it is of another shape, or names images that are not
                there.
        """
        if table.shape != self.neighbours.shape:
            raise ValueError(
                f'a table of neighbours of shape {tuple(table.shape)} does not fit '
                f'{len(self)} images with num_neighbours={self.neighbours.shape[1]}'
            )
        if table.min() < 0 or table.max() >= len(self):
            raise ValueError(f'a table of neighbours names images outside 0 to {len(self) - 1}')
        self.neighbours.copy_(table)

    def __getitem__(self, idx: int) -> Any:
        with seeded_draws(idx):
            # By a plain index: with its own seed it would draw what the crops draw.
            sample = self.dataset[int(idx)]
            if not isinstance(sample['inputs'], list):
                raise ValueError(
                    'KNNMultiCropDataset adds to a list of views, and its data set gives a single '
                    'one: use MultiView in dataset.dataset.pipeline'
                )
            choice = torch.randperm(self.neighbours.shape[1])
            for i in range(self.num_crops):
                neighbour = int(self.neighbours[int(idx), choice[i % len(choice)]])
                crop = self.crop_pipeline(self.dataset.get_data_info(neighbour))
                sample['inputs'].append(crop['inputs'])
        return sample
