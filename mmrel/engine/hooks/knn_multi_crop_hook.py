"""Refresh the neighbors of K-NN multi-crop."""

import time
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrel.datasets.multi_crop import KNNMultiCropDataset
from mmrel.engine.distributed import unwrap
from mmrel.engine.plain_loader import plain_loader_config
from mmrel.evaluation.knn import neighbor_table
from mmrel.models.utils.features import batch_features
from mmrel.registry import HOOKS
from mmrel.utils.checks import check_count

_KEY = 'knn_multi_crop'


@HOOKS.register_module()
class KNNMultiCropHook(Hook):
    """Recompute the neighbors of all training images every few epochs.

    Neighbors are found by cosine similarity over the whole training set, with
    the backbone's pooled float32 features of images without augmentation. The
    work is split across ranks. It is done at the end of an epoch, before the
    checkpoint is written: the checkpoint holds the table for the next epoch,
    and a resumed run continues with it.

    Args:
        interval (int): Epochs between two refreshes. Defaults to 1.
        begin (int): Epoch after which the first refresh happens. Until then each
            image is its own neighbor. 0: before the first epoch, with the
            untrained network. Defaults to 1.
        dataloader (dict, optional): Changes to the loader that reads the images.
            They are merged into the default: the training set with the pipeline
            and batch size of the config's ``val_dataloader``. Defaults to None:
            no changes.

    Raises:
        ValueError: If ``interval`` is below 1 or ``begin`` negative.
    """

    # In epochs; independent of the run's length.
    warmup_keys = ('begin',)

    def __init__(self, interval: int = 1, begin: int = 1, dataloader: dict | None = None) -> None:
        check_count(1, 'KNNMultiCropHook', interval=interval)
        check_count(0, 'KNNMultiCropHook', begin=begin)
        self.interval = interval
        self.begin = begin
        self.dataloader = dataloader or {}
        self._loader: Any = None

    @staticmethod
    def _dataset(runner: Runner) -> KNNMultiCropDataset:
        dataset = runner.train_loop.dataloader.dataset
        if not isinstance(dataset, KNNMultiCropDataset):
            raise TypeError(
                'KNNMultiCropHook needs train_dataloader.dataset.type=KNNMultiCropDataset, not '
                f'{type(dataset).__name__}'
            )
        return dataset

    def before_train(self, runner: Runner) -> None:
        """Build the loader. With ``begin=0``, find the neighbors at the start of a run."""
        dataset = self._dataset(runner)
        like = runner.cfg.get('val_dataloader')
        if like is None:
            if 'pipeline' not in self.dataloader.get('dataset', {}):
                raise ValueError(
                    'KNNMultiCropHook needs dataloader.dataset.pipeline: there is no '
                    'val_dataloader to take a pipeline without augmentation from'
                )
            kept = ('batch_size', 'num_workers', 'collate_fn')
            train = runner.cfg.train_dataloader
            like = {key: train[key] for key in kept if key in train}
            like['dataset'] = dict(pipeline=[])
        config = plain_loader_config(runner.cfg, like, self.dataloader)
        self._loader = runner.build_dataloader(config, seed=runner.seed)
        if len(self._loader.dataset) != len(dataset):
            raise ValueError(
                f'KNNMultiCropHook.dataloader reads {len(self._loader.dataset)} images, but '
                f'the training set has {len(dataset)}'
            )
        if self.begin == 0 and runner.iter == 0:
            self.refresh(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Refresh if it is due and another epoch follows."""
        done = runner.epoch + 1
        due = done >= self.begin and (done - self.begin) % self.interval == 0
        if due and done < runner.max_epochs:
            self.refresh(runner)

    @torch.no_grad()
    def refresh(self, runner: Runner) -> None:
        """Find the neighbors with the current network.

        Args:
            runner (Runner): The runner. Its model is left in evaluation mode,
                as after a validation.
        """
        start = time.monotonic()
        dataset = self._dataset(runner)
        model = unwrap(runner.model)
        model.eval()
        features = []
        for i, batch in enumerate(self._loader, 1):
            features += batch_features(model, batch)[0]
            if i % 200 == 0:
                runner.logger.info(f'features for the neighbors [{i}/{len(self._loader)}]')
        part = torch.cat(features)
        rows = torch.tensor(list(self._loader.sampler), device=part.device)
        before = dataset.neighbors.clone()
        table = neighbor_table(part, rows, len(dataset), before.shape[1]).cpu()
        dataset.set_neighbors(table)
        kept = torch.stack([(table == column[:, None]).any(1) for column in before.T])
        runner.logger.info(
            f'found the neighbors of {len(dataset)} images in {time.monotonic() - start:.1f} s, '
            f'{1 - kept.float().mean().item():.1%} of them new'
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the table in the checkpoint."""
        checkpoint[_KEY] = dict(neighbors=self._dataset(runner).neighbors.clone())

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Load the table from the checkpoint on resume.

        Raises:
            KeyError: If the checkpoint's run did not use K-NN multi-crop.
        """
        if not runner._resume:
            return
        if _KEY not in checkpoint:
            raise KeyError(
                f'the checkpoint has no {_KEY!r}, the table of neighbors: it is from a run without '
                'KNNMultiCropHook. Start a new run from its weights (load_from without --resume)'
            )
        stored = checkpoint[_KEY]
        # Version 0.1 spelled the key in British English.
        table = stored['neighbors'] if 'neighbors' in stored else stored['neighbours']
        self._dataset(runner).set_neighbors(table.cpu())
