"""The training set without augmentation, every image once."""

import copy
from typing import Any

import torch
from mmengine.config import Config

from .loaders import build_dataloader


def inner_dataset(dataset: dict) -> dict:
    """Config of the data set that reads the images, inside those that wrap it.

    Args:
        dataset (dict): A training set's config.

    Returns:
        dict: The innermost one; of a semi-supervised set the labeled part.
    """
    while 'pipeline' not in dataset and ('dataset' in dataset or 'labeled' in dataset):
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['labeled']
    return dataset


def read_with(dataset: dict, **changes: Any) -> dict:
    """Config of the images that a training set reads, each once.

    Args:
        dataset (dict): A training set's config. Wrappers around it are left out
            (:func:`inner_dataset`), but all parts of a concatenated one are kept.
        **changes: Settings to change, such as ``pipeline``.

    Returns:
        dict: A copy of the config.
    """
    dataset = copy.deepcopy(inner_dataset(dataset))
    if 'pipeline' not in dataset and 'datasets' in dataset:
        dataset['datasets'] = [read_with(part, **changes) for part in dataset['datasets']]
        return dataset
    return dict(dataset, **changes)


def plain_loader_config(cfg: Config, like: dict, changes: dict) -> dict:
    """Config of a loader that reads the training set as another loader reads its own.

    Args:
        cfg (Config): The run's; its ``train_dataloader`` names the data set. Of
            a wrapper it is the data set inside (:func:`inner_dataset`).
        like (dict): A loader's config: its pipeline, batch, workers and
            ``collate_fn`` are taken.
        changes (dict): Merged into the result.

    Returns:
        dict: The config. Ranks share the images, none is there twice.
    """
    changed = dict(pipeline=like['dataset']['pipeline'], test_mode=True)
    dataset = read_with(cfg.train_dataloader['dataset'], **changed)
    plain = dict(like, dataset=dataset, persistent_workers=False, drop_last=False)
    # No round-up: a repeated sample would count twice.
    plain['sampler'] = dict(type='DefaultSampler', shuffle=False, round_up=False)
    return Config._merge_a_into_b(changes, plain)


def fixed_batches(
    cfg: Config, like: dict, number: int, batch_size: int | None = None, seed: int = 0
) -> list:
    """Batches of random training images without augmentation, always the same ones.

    Args:
        cfg (Config): As :func:`plain_loader_config`.
        like (dict): Likewise.
        number (int): Batches; fewer if the set is smaller.
        batch_size (int, optional): Defaults to None: that of ``like``.
        seed (int): Of the choice. Defaults to 0.

    Returns:
        list: Batches as the loader collates them.
    """
    changes = dict(num_workers=0)
    if batch_size is not None:
        changes['batch_size'] = batch_size
    loader = build_dataloader(plain_loader_config(cfg, like, changes))
    dataset, size = loader.dataset, loader.batch_size
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(dataset), generator=generator)[: number * size].tolist()
    return [
        loader.collate_fn([dataset[i] for i in chosen[start : start + size]])
        for start in range(0, len(chosen), size)
    ]
