"""The training set without augmentation, every image once."""

import copy

from mmengine.config import Config


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
    dataset = copy.deepcopy(inner_dataset(cfg.train_dataloader['dataset']))
    dataset['pipeline'] = like['dataset']['pipeline']
    dataset['test_mode'] = True
    plain = dict(like, dataset=dataset, persistent_workers=False, drop_last=False)
    # Without round-up: a sample that is there twice would count twice.
    plain['sampler'] = dict(type='DefaultSampler', shuffle=False, round_up=False)
    return Config._merge_a_into_b(changes, plain)
