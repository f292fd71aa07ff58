"""The configs' pipelines on real image files (MMREL_TEST_DATA names their folder)."""

from pathlib import Path

import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, default_collate

from mmrel.registry import DATASETS

CONFIGS = Path(__file__).parents[2] / 'configs' / 'ressl'


def _views(config: str, root: Path, count: int) -> list[torch.Tensor]:
    cfg = Config.fromfile(CONFIGS / config)
    dataset = DATASETS.build(
        dict(
            type='ImageFolder',
            data_root=str(root),
            pipeline=cfg.train_dataloader.dataset.pipeline,
        )
    )
    assert len(dataset) >= count
    loader = DataLoader(
        dataset, count, collate_fn=lambda batch: default_collate([b['inputs'] for b in batch])
    )
    return next(iter(loader))


def test_photographs_become_multi_crop_views(mmrel_scope: None, real_images: Path) -> None:
    config = 'ressl_resnet50_8xb32-mcrop5-coslr-200e_in1k.py'
    views = _views(config, real_images / 'imagenet_jpeg', 8)
    assert [tuple(v.shape) for v in views] == [
        (8, 3, px, px) for px in (224, 192, 160, 128, 96, 224)
    ]
    assert all(v.dtype == torch.uint8 for v in views)
    # Views of an image are nearer to each other than to those of other images.
    small = torch.stack([torch.nn.functional.adaptive_avg_pool2d(v.float(), 4) for v in views])
    flat = torch.nn.functional.normalize(small.flatten(2) - small.mean((1, 3, 4))[:, None].repeat(
        1, 1, 16).view(6, 1, 48), dim=2)  # fmt: skip
    similarity = torch.einsum('vbd,wcd->vwbc', flat, flat).mean((0, 1))
    assert (similarity.argmax(1) == torch.arange(8)).float().mean() >= 0.75


def test_the_folder_of_the_small_config(mmrel_scope: None, real_images: Path) -> None:
    config = 'ressl_resnet18-w16_1xb64-coslr-20e_imagefolder32.py'
    views = _views(config, real_images / 'cifar10_jpeg' / 'train', 16)
    assert [tuple(v.shape) for v in views] == [(16, 3, 32, 32)] * 2
    assert not torch.equal(views[0], views[1])
