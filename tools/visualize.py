#!/usr/bin/env python
"""Plot nearest neighbors, a t-SNE map and the training curves of a checkpoint."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Subset

from mmrel.apis import build_runner, load_config
from mmrel.apis.features import ImageFeatures, extract_features
from mmrel.apis.image_model import evaluation_pipeline
from mmrel.datasets import ImageFolder
from mmrel.datasets.class_names import count_classes
from mmrel.datasets.folder_scan import is_hidden
from mmrel.engine.distributed import unwrap
from mmrel.engine.plain_loader import plain_loader_config
from mmrel.models.utils import network
from mmrel.registry import DATASETS
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.utils.leftovers import scratch_folder
from mmrel.visualization import (
    choose_queries,
    find_scalars,
    plot_curves,
    plot_neighbors,
    plot_tsne,
    read_scalars,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, help='output folder for the figures')
    parser.add_argument('--work-dir', help='work dir of the training, to plot its curves too')
    parser.add_argument(
        '--max-images',
        type=int,
        default=2000,
        help='number of images, drawn at random (default: 2000)',
    )
    parser.add_argument(
        '--unlabeled', action='store_true',
        help="use all images below val_dataloader's folder, without classes (the default if it has "
        'no subfolders)',
    )  # fmt: skip
    parser.add_argument(
        '--teacher',
        action='store_true',
        help="use the momentum teacher's features (ReSSL, SimMatch)",
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='config overrides, as a.b=value'
    )
    args = parser.parse_args(argv)
    if args.max_images < 3:
        parser.error(f'--max-images {args.max_images}: must be at least 3')
    return args


def _has_folders(root: str) -> bool:
    with os.scandir(root) as entries:
        return any(entry.is_dir() and not is_hidden(entry.name) for entry in entries)


def loader_config(cfg: Config) -> dict:
    """The config's val_dataloader, else a loader of its training images, read as in evaluation."""
    if cfg.get('val_dataloader'):
        return cfg.val_dataloader
    if not cfg.get('train_dataloader'):
        raise KeyError(
            'the config has neither val_dataloader nor train_dataloader: set val_dataloader to the '
            'images to plot'
        )
    like = dict(
        batch_size=64,
        num_workers=cfg.train_dataloader.get('num_workers', 0),
        collate_fn=dict(type='default_collate'),
        dataset=dict(pipeline=evaluation_pipeline(cfg)),
    )
    return plain_loader_config(cfg, like, {})


def without_labels(loader: dict, unlabeled: bool) -> bool:
    """Whether the images have no classes. If so, the loader's config is changed to load none."""
    dataset = loader['dataset']
    folder = DATASETS.get(dataset.get('type'))
    if not (isinstance(folder, type) and issubclass(folder, ImageFolder)):
        if unlabeled:
            raise ValueError(
                f'--unlabeled is for images in folders, not for {dataset.get("type")}: set '
                'val_dataloader.dataset.type=ImageFolder and its data_root'
            )
        return False
    if not dataset.get('with_label', True):
        return True
    if not unlabeled and not dataset.get('ann_file'):
        prefix = dataset.get('data_prefix') or ''
        prefix = prefix.get('img_path', '') if isinstance(prefix, dict) else prefix
        root = os.path.join(dataset.get('data_root') or '', prefix)
        unlabeled = os.path.isdir(root) and not _has_folders(root)
    if unlabeled:
        dataset.update(with_label=False, ann_file='')
        dataset.pop('classes', None)
    return unlabeled


def extract(
    cfg: Config, max_images: int, unlabeled: bool = False, teacher: bool = False
) -> tuple[ImageFeatures, list[str] | None]:
    """Features of random images of :func:`loader_config`, and the class names."""
    config = loader_config(cfg)
    unlabeled = without_labels(config, unlabeled)
    runner = build_runner(cfg)
    network(unwrap(runner.model), teacher)
    runner.load_or_resume()
    loader = runner.build_dataloader(config)
    dataset = loader.dataset
    labeled = not unlabeled and count_classes(dataset) is not None
    # At random, because the first images of a folder all have the same class.
    rows = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))[:max_images]
    chosen = DataLoader(
        Subset(dataset, rows.sort().values.tolist()),
        batch_size=loader.batch_size,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
    )
    data = extract_features(unwrap(runner.model), chosen, labeled, teacher)
    return data, dataset.metainfo.get('classes')


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    out = Path(args.out)
    # First, because it fails fast, and needs neither images nor a network.
    if args.work_dir is not None:
        curves = out / 'curves.png'
        plot_curves(read_scalars(*find_scalars(args.work_dir)), curves)
        print(f'wrote {curves}', flush=True)
    # A folder for the Runner's logs, which nobody needs.
    with scratch_folder() as scratch:
        cfg = load_config(args.config, args.cfg_options, scratch)
        cfg.load_from = args.checkpoint
        cfg.resume = False
        cfg.log_level = 'WARNING'
        strict = cfg.get('default_hooks', {}).get('strict_load')
        if strict and not args.teacher:
            strict.backbone_alone = True
        data, classes = extract(cfg, args.max_images, args.unlabeled, args.teacher)
    queries = choose_queries(len(data.images) if data.labels is None else data.labels)
    neighbors, tsne = out / 'neighbors.png', out / 'tsne.png'
    plot_neighbors(data.images, data.features, data.labels, queries, neighbors, classes=classes)
    plot_tsne(data.features, data.labels, classes, tsne)
    print(f'wrote {neighbors}\nwrote {tsne}')


if __name__ == '__main__':
    run_command(main)
