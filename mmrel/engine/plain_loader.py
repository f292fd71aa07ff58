"""The training set without augmentation, every image once."""

import copy
from itertools import islice
from typing import Any

from mmengine.config import Config
from torch.utils.data import DataLoader

from mmrel.datasets import WholeSetSampler

from .loaders import build_dataloader


def inner_dataset(dataset: dict) -> dict:
    """Config of the data set that reads the images, without its wrappers.

    Args:
        dataset (dict): A training set's config.

    Returns:
        dict: The innermost config. For a semi-supervised set, the labeled part.
    """
    while 'pipeline' not in dataset and ('dataset' in dataset or 'labeled' in dataset):
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['labeled']
    return dataset


def read_with(dataset: dict, **changes: Any) -> dict:
    """Config of the images that a training set reads, each once.

    Args:
        dataset (dict): A training set's config. Its wrappers are dropped
            (:func:`inner_dataset`), but all parts of a concatenated set are kept.
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
    """Config of a loader that reads the training set with another loader's settings.

    Args:
        cfg (Config): The run's config. Its ``train_dataloader`` names the data set,
            whose wrappers are dropped (:func:`inner_dataset`).
        like (dict): The other loader's config, with the pipeline, batch size,
            workers and ``collate_fn`` to use.
        changes (dict): Settings merged into the result.

    Returns:
        dict: The config. The images are split across ranks without duplicates.
    """
    changed = dict(pipeline=like['dataset']['pipeline'], test_mode=True)
    dataset = read_with(cfg.train_dataloader['dataset'], **changed)
    plain = dict(like, dataset=dataset, persistent_workers=False, drop_last=False)
    # Without round_up, which repeats samples: a repeated sample would count twice.
    plain['sampler'] = dict(type='DefaultSampler', shuffle=False, round_up=False)
    return Config._merge_a_into_b(changes, plain)


def whole_loader(config: dict, worker_seed: int | None = None, **order: Any) -> DataLoader:
    """A loader that gives every rank all images of a set, each once.

    Args:
        config (dict): A loader's config. Its sampler is replaced.
        worker_seed (int, optional): Seed of the workers. Defaults to None.
        **order: Passed to :class:`mmrel.datasets.WholeSetSampler`.

    Returns:
        DataLoader: The loader.
    """
    sampler = dict(type=WholeSetSampler, **order)
    return build_dataloader(dict(config, sampler=sampler, drop_last=False), worker_seed)


def fixed_loader(cfg: Config, like: dict, changes: dict, seed: int = 0) -> DataLoader:
    """A loader of the training set without augmentation, in one fixed random order.

    Every rank reads the same images.

    Args:
        cfg (Config): See :func:`plain_loader_config`.
        like (dict): See :func:`plain_loader_config`.
        changes (dict): See :func:`plain_loader_config`.
        seed (int): Seed of the order. Defaults to 0.

    Returns:
        DataLoader: The loader.
    """
    return whole_loader(plain_loader_config(cfg, like, changes), shuffle=True, seed=seed)


def fixed_batches(
    cfg: Config, like: dict, number: int, batch_size: int | None = None, seed: int = 0
) -> list:
    """The first batches of :func:`fixed_loader`.

    Args:
        cfg (Config): See :func:`plain_loader_config`.
        like (dict): See :func:`plain_loader_config`.
        number (int): Number of batches. There are fewer if the set is too small.
        batch_size (int, optional): Batch size. Defaults to None: that of ``like``.
        seed (int): Seed of the order. Defaults to 0.

    Returns:
        list: Batches as the loader collates them.
    """
    changes = dict(num_workers=0)
    if batch_size is not None:
        changes['batch_size'] = batch_size
    return list(islice(fixed_loader(cfg, like, changes, seed), number))
