"""The training set without augmentation, every image once."""

import copy

from mmengine.config import Config


def plain_loader_config(cfg: Config, like: dict, changes: dict) -> dict:
    """Config of a loader that reads the training set as another loader reads its own.

    Args:
        cfg (Config): The run's; its ``train_dataloader`` names the data set. Of
            a wrapper it is the data set inside.
        like (dict): A loader's config: its pipeline, batch, workers and
            ``collate_fn`` are taken.
        changes (dict): Merged into the result.

    Returns:
        dict: The config. Ranks share the images, none is there twice.
    """
    dataset = copy.deepcopy(cfg.train_dataloader['dataset'])
    while 'pipeline' not in dataset and 'dataset' in dataset:
        dataset = dataset['dataset']
    dataset['pipeline'] = like['dataset']['pipeline']
    dataset['test_mode'] = True
    plain = dict(like, dataset=dataset, persistent_workers=False, drop_last=False)
    # Without round-up: a sample that is there twice would count twice.
    plain['sampler'] = dict(type='DefaultSampler', shuffle=False, round_up=False)
    return Config._merge_a_into_b(changes, plain)
