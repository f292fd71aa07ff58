"""K-NN multi-crop: crops of an image's neighbors as additional views."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.dataset import BaseDataset
from torch import Tensor
from torch.utils.data import Dataset

from mmrel.registry import DATASETS
from mmrel.utils.checks import check_count
from mmrel.utils.renamed import former_arguments

from .batched_views import BatchedViews
from .decoded_cache import info_with_pixels, reader_of
from .seeding import SampleIndex, SeededDraws, seeded_draws, torch_seeds
from .transforms.batched_draws import Streams, reproduces_torch
from .transforms.crop_resize import SMALL_SIDE
from .transforms.packing import unchanged_colors


@DATASETS.register_module()
@former_arguments(num_neighbours='num_neighbors')
class KNNMultiCropDataset(Dataset):
    """Add crops of an image's nearest neighbors to each sample of a dataset.

    Each of the ``num_crops`` crops is read by ``crop_pipeline`` from one of the
    image's K neighbors, drawn without repetition as long as possible, and is
    appended to the sample's own views. Like the views, the draws depend on
    (seed, epoch, index). They are made after those of the views, so the views are
    the same as without this wrapper. A loader reads a batch with ``__getitems__``, which
    makes small views and crops together; the samples are those of ``__getitem__``.

    :class:`KNNMultiCropHook` refreshes the table of neighbors. Before that, each
    image is its own neighbor (an ordinary multi-crop). The table is in shared
    memory, so that persistent workers see its changes.
    Source: WCL (arXiv:2110.04770), K-NN multi-crop.

    Args:
        dataset (dict | BaseDataset): The wrapped dataset; its pipeline gives a list
            of views (``MultiView``).
        num_neighbors (int): K.
        num_crops (int): Number of additional views per sample.
        crop_pipeline (list[dict]): Turns a sample into one packed view: load,
            crop (sets the size), pack.

    Raises:
        ValueError: If a number is below 1, or the dataset has fewer than K + 1
            images.
    """

    def __init__(
        self, dataset: dict | BaseDataset, num_neighbors: int, num_crops: int, crop_pipeline: list
    ) -> None:
        check_count(1, 'dataset', num_neighbors=num_neighbors, num_crops=num_crops)
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.dataset.full_init()
        if len(self) <= num_neighbors:
            raise ValueError(
                f'dataset.num_neighbors={num_neighbors} needs at least {num_neighbors + 1} '
                f'images, but the dataset has {len(self)}'
            )
        self.num_crops = num_crops
        self.crop_pipeline = Compose(crop_pipeline)
        own = torch.arange(len(self), dtype=torch.int32)[:, None]
        self.neighbors = own.repeat(1, num_neighbors).share_memory_()

    @property
    def metainfo(self) -> dict:
        """The metainfo of the wrapped dataset."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def set_neighbors(self, table: Tensor) -> None:
        """Replace the neighbors, also for running workers.

        Args:
            table (Tensor): Indices of each image's neighbors, (N, K).

        Raises:
            ValueError: If the shape differs, or an index is out of range.
        """
        if table.shape != self.neighbors.shape:
            raise ValueError(
                f'a neighbor table of shape {tuple(table.shape)} does not match '
                f'{len(self)} images with num_neighbors={self.neighbors.shape[1]}'
            )
        if table.min() < 0 or table.max() >= len(self):
            raise ValueError(f'the neighbor table has indices outside 0 to {len(self) - 1}')
        self.neighbors.copy_(table)

    def __getitem__(self, idx: int) -> Any:
        with seeded_draws(idx):
            # With a SampleIndex, the dataset would seed itself and the crops repeat its draws.
            sample = self.dataset[int(idx)]
            if not isinstance(sample['inputs'], list):
                raise ValueError(
                    'KNNMultiCropDataset needs a list of views, but its dataset gives a single '
                    'one: use MultiView in dataset.dataset.pipeline'
                )
            choice = torch.randperm(self.neighbors.shape[1])
            for i in range(self.num_crops):
                neighbor = int(self.neighbors[int(idx), choice[i % len(choice)]])
                info = info_with_pixels(self.dataset, neighbor, self.crop_pipeline)
                self._append(sample, self.crop_pipeline(info))
        return sample

    def __getitems__(self, indices: Sequence[int]) -> list:
        plans, seeded = self._plans(), [x for x in indices if isinstance(x, SampleIndex)]
        batched = len(indices) > 0 and len(seeded) == len(indices) and reproduces_torch()
        # A batch of large images would fill the memory.
        if plans is None or not batched or not self._is_small(int(indices[0])):
            return [self[index] for index in indices]
        views, crops = plans
        streams, rows = Streams(torch_seeds(seeded)), np.array(seeded, dtype=np.intp)
        samples = views.from_streams(self._infos(rows, self.dataset.pipeline), streams)
        choice = streams.order(streams.all, self.neighbors.shape[1])
        for i in range(self.num_crops):
            neighbors = self.neighbors.numpy()[rows, choice[:, i % choice.shape[1]]]
            made = crops.from_streams(self._infos(neighbors, self.crop_pipeline), streams)
            for sample, crop in zip(samples, made, strict=True):
                self._append(sample, crop)
        return samples

    def _plans(self) -> tuple[BatchedViews, BatchedViews] | None:
        """The batched forms of both pipelines; None if samples are made one by one."""
        if type(self).__getitem__ is not KNNMultiCropDataset.__getitem__:
            return None
        crops = BatchedViews.of(self.crop_pipeline)
        views = self.dataset.batched_views() if isinstance(self.dataset, SeededDraws) else None
        if views is None or crops is None or views.single or not crops.single:
            return None
        return views, crops

    def _is_small(self, row: int) -> bool:
        info = self.dataset.get_data_info(row)
        if 'img' in info:
            return max(np.asarray(info['img']).shape[:2]) <= SMALL_SIDE
        reader = reader_of(self.dataset.pipeline)
        return reader is not None and max(reader.size(info['img_path'])) <= SMALL_SIDE

    def _infos(self, rows: np.ndarray, pipeline: Compose) -> list[dict]:
        return [info_with_pixels(self.dataset, row, pipeline) for row in rows.tolist()]

    @staticmethod
    def _append(sample: dict, crop: dict) -> None:
        """Add a crop to a sample's views, with its colors if the device changes any."""
        if 'colors' in sample or 'colors' in crop:
            rows = sample.setdefault('colors', [unchanged_colors() for _ in sample['inputs']])
            rows.append(crop.get('colors', unchanged_colors()))
        sample['inputs'].append(crop['inputs'])
