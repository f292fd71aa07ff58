"""A runner, a supernet and images that are small enough for a search in a unit test."""

import logging
from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.utils.data import DataLoader

from tests.data.toy_supernet import ToySupernet

IMAGES = 40


class _Images(list):
    """Random images, of three classes."""

    def __getitem__(self, row: int) -> tuple[Tensor, BaseDataElement]:
        draw = torch.Generator().manual_seed(row)
        image = torch.randint(0, 256, (3, 4, 4), generator=draw, dtype=torch.uint8)
        return image, BaseDataElement(gt_label=torch.tensor([row % 3]))


def _collate(samples: list) -> dict:
    images, labels = zip(*samples, strict=True)
    return dict(inputs=torch.stack(images), data_samples=list(labels))


def toy_loader() -> DataLoader:
    """The held-out images."""
    return DataLoader(_Images(range(IMAGES)), batch_size=16, collate_fn=_collate)


def toy_runner(work_dir: Path) -> SimpleNamespace:
    """What a search loop uses of a runner, with a space of six networks."""
    torch.manual_seed(3)
    model = ToySupernet(
        dict(type='ToySpace', widths=(2, 5)),
        data_preprocessor=dict(type='ImgDataPreprocessor', mean=[128.0] * 3, std=[64.0] * 3),
    )
    return SimpleNamespace(
        model=model,
        cfg=Config(dict()),
        work_dir=str(work_dir),
        logger=logging.getLogger('toy'),
        hooks=[],
        call_hook=lambda name: None,
    )


def slow_accuracy(model: ToySupernet, path: dict) -> float:
    """The mean accuracy of both sides, image by image."""
    right = 0
    for row in range(IMAGES):
        image, sample = toy_loader().dataset[row]
        logits = model.path_logits((image.float()[None] - 128) / 64, path)
        right += sum(int(side[0].argmax() == sample.gt_label) for side in logits)
    return 100 * right / (2 * IMAGES)
