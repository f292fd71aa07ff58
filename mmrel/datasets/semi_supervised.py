"""Batches of labeled and unlabeled images."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, default_collate
from mmengine.dist import get_dist_info, sync_random_seed
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from mmrel.registry import DATA_SAMPLERS, DATASETS, FUNCTIONS
from mmrel.utils.checks import check_count

from .class_names import class_names, match_classes
from .seeding import SampleIndex, samples_of
from .transforms.packing import unchanged_colors


@DATASETS.register_module()
class SemiSupervisedDataset(Dataset):
    """A labeled dataset, followed by an unlabeled one.

    Both can be any datasets of mmrel. The labeled set usually has a ``label_split``;
    its samples carry their index in this set as ``sample_idx``. The unlabeled set is
    usually the whole training set. If it has classes, they are used only to log the
    accuracy of the pseudo-labels. Classes in another order are renumbered.

    Args:
        labeled (dict | BaseDataset): Its pipeline gives one view.
        unlabeled (dict | BaseDataset): Its pipeline gives two views, the strong one
            first (``MultiView``).

    Raises:
        ValueError: If a labeled image has no class, a class has no labeled image,
            or the unlabeled set has classes that the labeled one lacks.
    """

    def __init__(self, labeled: dict | BaseDataset, unlabeled: dict | BaseDataset) -> None:
        self.labeled, self.unlabeled = (
            DATASETS.build(part) if isinstance(part, dict) else part
            for part in (labeled, unlabeled)
        )
        for part in (self.labeled, self.unlabeled):
            part.full_init()
        self._check_classes()

    def _check_classes(self) -> None:
        labels = [
            self.labeled.get_data_info(i).get('gt_label', -1) for i in range(len(self.labeled))
        ]
        if min(labels, default=-1) < 0:
            raise ValueError(
                'dataset.labeled has an image without a class, or no images at all: use a dataset '
                'with classes'
            )
        classes = self.metainfo.get('classes') or range(max(labels) + 1)
        there = set(labels)
        without = [str(name) for i, name in enumerate(classes) if i not in there]
        if without:
            raise ValueError(
                f'dataset.labeled has no images of {len(without)} of {len(classes)} classes: '
                f'{", ".join(without[:5])}; every class needs a labeled image'
            )
        names = class_names(self.labeled)
        if names is None:
            return
        try:
            match_classes(self.unlabeled, names, 'dataset.unlabeled', 'dataset.labeled')
        except ValueError as error:
            raise ValueError(
                f'{error}; to ignore the unlabeled classes, set dataset.unlabeled.with_label=False'
            ) from None

    @property
    def metainfo(self) -> dict:
        """The metainfo of the labeled set."""
        return self.labeled.metainfo

    def __len__(self) -> int:
        return len(self.labeled) + len(self.unlabeled)

    def __getitem__(self, idx: int) -> Any:
        return self.__getitems__([idx])[0]

    def __getitems__(self, indices: Sequence[int]) -> list:
        first = len(self.labeled)
        samples: dict[int, Any] = {}
        for part, start, views in (('labeled', 0, 1), ('unlabeled', first, 2)):
            places = [i for i, index in enumerate(indices) if (index >= first) == (views == 2)]
            chosen = [indices[i] for i in places]
            # The rows carry no seed: the same row of both sets would get the same draws.
            rows = [int(index) - start for index in chosen]
            found = samples_of(getattr(self, part), rows, chosen)
            for sample in found:
                inputs = sample['inputs']
                if (1 if isinstance(inputs, Tensor) else len(inputs)) != views:
                    wanted = 'one view' if views == 1 else 'two views'
                    raise ValueError(f'dataset.{part}.pipeline must give {wanted} of an image')
            samples.update(zip(places, found, strict=True))
        return [samples[i] for i in range(len(indices))]


@DATA_SAMPLERS.register_module()
class SemiSupervisedSampler(Sampler):
    """Fill each batch with B labeled images, followed by ``mu * B`` unlabeled ones.

    An epoch is one pass through the set that gives more batches. The other set is
    repeated as often as needed, each time in a new order. The orders depend on the
    seed and the epoch; the global batches do not depend on the number of ranks.
    Indices carry the seed and the number of the pass through the set
    (:class:`SampleIndex`), so an image that is used twice in an epoch gets different
    views.

    The loader's ``batch_size`` is ``(1 + mu) * B``. A config leaves it out:
    :func:`mmrel.engine.loaders.build_dataloader` sets it with :meth:`batch_size_of`.

    Args:
        dataset (SemiSupervisedDataset): Filled in by the Runner.
        labeled_batch (int): B, per rank.
        mu (int): Number of unlabeled images per labeled image.
        seed (int, optional): Filled in by the Runner. Defaults to None: drawn at
            random, the same on all ranks.
        infinite (bool): Continue with the next epoch endlessly, for
            iteration-based runs; these resume with :meth:`skip`. Defaults to
            False.
        allow_repeats (bool): Whether a set may be smaller than its part of the
            global batch, so that a batch contains an image several times (such as
            40 labels in batches of 64). Defaults to False.

    Raises:
        ValueError: If ``labeled_batch`` or ``mu`` is below 1, or a set is
            smaller than its part of the global batch.
    """

    def __init__(
        self,
        dataset: SemiSupervisedDataset,
        labeled_batch: int,
        mu: int,
        seed: int | None = None,
        infinite: bool = False,
        allow_repeats: bool = False,
    ) -> None:
        check_count(1, 'sampler', labeled_batch=labeled_batch, mu=mu)
        self.rank, self.world_size = get_dist_info()
        self.sizes = (len(dataset.labeled), len(dataset.unlabeled))
        self.parts = (labeled_batch, mu * labeled_batch)
        self.seed = sync_random_seed() if seed is None else seed
        self.infinite = infinite
        self.epoch = 0
        self._skipped = 0
        for name, size, part in zip(('labeled', 'unlabeled'), self.sizes, self.parts, strict=True):
            if size < part * self.world_size and not (allow_repeats and size > 0):
                raise ValueError(
                    f'the {name} set has {size} images, fewer than the {part * self.world_size} in '
                    f'a global batch: lower train_dataloader.sampler.labeled_batch (now '
                    f'{labeled_batch}, mu {mu}), or set train_dataloader.sampler.'
                    'allow_repeats=True to allow an image several times in a batch'
                )

    @staticmethod
    def batch_size_of(labeled_batch: int, mu: int, **_: Any) -> int:
        """Images per batch on each rank, from the sampler's settings.

        Args:
            labeled_batch (int): B.
            mu (int): Number of unlabeled images per labeled image.
            **_: Other settings, which do not matter.

        Returns:
            int: ``(1 + mu) * B``.
        """
        return (1 + mu) * labeled_batch

    @property
    def batch_size(self) -> int:
        """Images per batch on each rank."""
        return sum(self.parts)

    @property
    def num_batches(self) -> int:
        """Batches per epoch."""
        whole = [
            size // (part * self.world_size)
            for size, part in zip(self.sizes, self.parts, strict=True)
        ]
        return max(1, *whole)

    def __len__(self) -> int:
        return self.num_batches * self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that comes next.

        Args:
            epoch (int): From 0.
        """
        self.epoch = epoch

    def skip(self, num_samples: int) -> None:
        """Skip the samples that an interrupted run has used (mmengine's loop calls this).

        Args:
            num_samples (int): Number of this rank's samples.
        """
        self._skipped += num_samples

    def _stream(self, which: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """This rank's images in an epoch, and the pass that each is from, (batches, part)."""
        size, part = self.sizes[which], self.parts[which]
        total = self.num_batches * part * self.world_size
        passes = -(-total // size)
        order = [
            np.random.default_rng([self.seed, epoch, which, i]).permutation(size)
            for i in range(passes)
        ]
        seen = np.repeat(np.arange(passes) + epoch * passes, size)
        shape = (self.num_batches, self.world_size, part)
        images = np.concatenate(order)[:total].reshape(shape)
        return images[:, self.rank], seen[:total].reshape(shape)[:, self.rank]

    def _epoch(self, epoch: int, start: int) -> Iterator[SampleIndex]:
        labeled, unlabeled = (self._stream(which, epoch) for which in (0, 1))
        images = np.concatenate([labeled[0], unlabeled[0] + self.sizes[0]], axis=1)
        seen = np.concatenate([labeled[1], unlabeled[1]], axis=1)
        for image, times in zip(images.flat[start:], seen.flat[start:], strict=True):
            yield SampleIndex(int(image), self.seed, int(times))

    def __iter__(self) -> Iterator[SampleIndex]:
        epoch, start = self.epoch, self._skipped
        self._skipped = 0
        if self.infinite:
            epoch, start = epoch + start // len(self), start % len(self)
        yield from self._epoch(epoch, start)
        while self.infinite:
            epoch += 1
            yield from self._epoch(epoch, 0)


@FUNCTIONS.register_module()
def semi_supervised_collate(batch: Sequence[dict]) -> dict[str, list]:
    """Collate samples of :class:`SemiSupervisedDataset`.

    Args:
        batch (Sequence[dict]): Labeled samples with one view and unlabeled
            ones with two, in any order.

    Returns:
        dict[str, list]: ``inputs``: the labeled, the strong and the weak views,
        (B, 3, H, W) and twice (mu * B, 3, H, W); ``data_samples``: those of the
        labeled images, then those of the unlabeled ones.
    """
    labeled = [sample for sample in batch if isinstance(sample['inputs'], Tensor)]
    unlabeled = [sample for sample in batch if not isinstance(sample['inputs'], Tensor)]
    strong, weak = zip(*(sample['inputs'] for sample in unlabeled), strict=True)
    collated = dict(
        inputs=_collate_views([sample['inputs'] for sample in labeled], strong, weak),
        data_samples=[sample['data_samples'] for sample in (*labeled, *unlabeled)],
    )
    if any('colors' in sample for sample in batch):
        same = unchanged_colors()
        pairs = [sample.get('colors', [same, same]) for sample in unlabeled]
        collated['colors'] = _collate_views(
            [sample.get('colors', same) for sample in labeled], *zip(*pairs, strict=True)
        )
    return collated


def _collate_views(*views: Sequence[Tensor]) -> list[Tensor]:
    return [default_collate(list(view)) for view in views]
