"""A data set of numbered images, for tests of loaders and calibrations."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmrel.registry import DATASETS


@DATASETS.register_module()
class NumberSet(Dataset):
    """``size`` images of one pixel, whose value is their number after ``first``.

    ``pipeline`` is the name of a pipeline, which the samples carry.
    """

    def __init__(
        self, size: int, pipeline: str = 'augmented', first: int = 0, test_mode: bool = False
    ) -> None:
        self.size, self.pipeline, self.first, self.test_mode = size, pipeline, first, test_mode

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Tensor | str]:
        inputs = torch.full((1, 1, 1), float(self.first + index))
        return dict(inputs=inputs, pipeline=self.pipeline)


def loader(size: int, batch_size: int, pipeline: str, **changes: object) -> dict:
    """Config of a loader."""
    dataset = dict(type='NumberSet', size=size, pipeline=pipeline)
    return dict(
        dataset=dataset, batch_size=batch_size, num_workers=0, persistent_workers=True,
        collate_fn=dict(type='default_collate'), sampler=dict(type='DefaultSampler', shuffle=True),
        **changes,
    )  # fmt: skip


def numbers(batches: list[dict]) -> list[list[int]]:
    """The numbers of the images of each batch."""
    return [batch['inputs'].flatten().int().tolist() for batch in batches]
