"""Make a sample's random draws depend only on (seed, epoch, index).

They do not depend on the number of workers or on interruptions of the run.
Persistent workers never see the sampler's epoch, so the index carries it.
"""

import random
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, DefaultSampler
from torch.utils.data import Sampler

from mmrel.registry import DATA_SAMPLERS
from mmrel.utils.mixin import Mixin

from .batched_views import BatchedViews
from .decoded_cache import DecodedCache, info_with_pixels
from .large_views import LargeViews
from .seed_words import seed_words
from .transforms.batched_draws import reproduces_torch


class SampleIndex(int):
    """A sample's index that carries the seed and the epoch.

    Args:
        index (int): The index in the dataset.
        seed (int): The run's seed.
        epoch (int): The epoch, from 0.
    """

    seed: int
    epoch: int

    def __new__(cls, index: int, seed: int, epoch: int) -> 'SampleIndex':
        """Create an int with two more attributes."""
        self = super().__new__(cls, index)
        self.seed = seed
        self.epoch = epoch
        return self

    def __reduce__(self) -> tuple:
        return SampleIndex, (int(self), self.seed, self.epoch)


@contextmanager
def kept_generators() -> Iterator[None]:
    """Restore the state of ``random``, NumPy and torch's CPU generator on exit."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


@contextmanager
def seeded_draws(index: int) -> Iterator[None]:
    """Seed ``random``, NumPy and torch's CPU generator for one sample.

    Their states are restored afterwards. Otherwise, without workers, the draws of
    the data would change those of the model.

    Args:
        index (int): The sample's index. Only a :class:`SampleIndex` has a seed;
            with a plain index, nothing is seeded or restored.
    """
    with kept_generators() if isinstance(index, SampleIndex) else nullcontext():
        seed_generators(index)
        yield


def seed_generators(index: int) -> None:
    """Seed ``random``, NumPy and torch's CPU generator for one sample.

    Args:
        index (int): The sample's index; with a plain index, nothing is seeded.
    """
    if isinstance(index, SampleIndex):
        entropy = (index.seed, index.epoch, int(index))
        words = np.random.SeedSequence(entropy).generate_state(3).tolist()
        random.seed(words[0])
        np.random.seed(words[1])
        torch.default_generator.manual_seed(words[2])


def torch_seeds(indices: Sequence[SampleIndex]) -> list[int]:
    """What :func:`seed_generators` seeds torch's generator with, for several samples."""
    entropy = np.array([(index.seed, index.epoch, int(index)) for index in indices])
    return seed_words(entropy, 3)[:, 2].tolist()


def samples_of(dataset: Any, rows: Sequence[int], indices: Sequence[int]) -> list:
    """Samples of any dataset, drawn with the seeds of other indices.

    Args:
        dataset (Dataset): The dataset.
        rows (Sequence[int]): The samples.
        indices (Sequence[int]): See :meth:`SeededDraws.samples`.

    Returns:
        list: The samples.
    """
    if isinstance(dataset, SeededDraws):
        return dataset.samples(rows, indices)
    samples = []
    for row, index in zip(rows, indices, strict=True):
        with seeded_draws(index):
            samples.append(dataset[row])
    return samples


# Other datasets may prepare a sample in ways that a batch would skip, or find its file with random
# numbers, which a batch would not seed.
_PREPARE = (BaseDataset.prepare_data, DecodedCache.prepare_data)
_PACKAGES = ('mmengine', 'mmpretrain', 'mmrel')


class SeededDraws(Mixin):
    """Mixin for datasets: samples are drawn with the seed of their index.

    A loader reads a batch with ``__getitems__``, which makes the views of small images
    together (:class:`.BatchedViews`), and the random choices of large ones
    (:class:`.LargeViews`). The samples are those of ``__getitem__``.
    """

    _plan: tuple[list, BatchedViews | None, LargeViews | None] = ([], None, None)

    def __getitem__(self, idx: int) -> Any:
        with seeded_draws(idx):
            return super().__getitem__(int(idx))

    def __getitems__(self, indices: Sequence[int]) -> list:
        if type(self).__getitem__ is not SeededDraws.__getitem__:
            return [self[index] for index in indices]
        return self.samples([int(index) for index in indices], indices)

    def samples(self, rows: Sequence[int], indices: Sequence[int]) -> list:
        """Several samples.

        Args:
            rows (Sequence[int]): The samples.
            indices (Sequence[int]): For each of them, an index with the seed of its draws.

        Returns:
            list: The samples.
        """
        plan, large = self._plans()
        if not len(rows):
            return []
        seeded = [index for index in indices if isinstance(index, SampleIndex)]
        if plan is None:
            if large is None or len(seeded) < len(rows) or not reproduces_torch():
                return self._one_by_one(rows, indices)
            # One after the other: together they might not fit in memory.
            samples = (info_with_pixels(self, row, self.pipeline) for row in rows)
            return large.seeded(samples, torch_seeds(seeded))
        infos = [info_with_pixels(self, row, self.pipeline) for row in rows]
        if plan.draws_nothing:
            return plan.fixed(infos)
        if not seeded:  # a plain index draws from torch's generator as it is
            return plan.finish(infos, [plan.draw(info) for info in infos])
        if len(seeded) < len(rows):
            return self._one_by_one(rows, indices)
        with nullcontext() if reproduces_torch() else kept_generators():
            return plan.seeded(infos, torch_seeds(seeded))

    def _one_by_one(self, rows: Sequence[int], indices: Sequence[int]) -> list:
        samples, seeded = [], any(isinstance(index, SampleIndex) for index in indices)
        # Saving and restoring the generators for each sample takes longer than some pipelines.
        with kept_generators() if seeded else nullcontext():
            for row, index in zip(rows, indices, strict=True):
                seed_generators(index)
                samples.append(self[row])
        return samples

    def batched_views(self) -> BatchedViews | None:
        """The batched form of the pipeline; None if the dataset or a step is of another kind."""
        return self._plans()[0]

    def _plans(self) -> tuple[BatchedViews | None, LargeViews | None]:
        """The forms of the pipeline for batches of small and of large views."""
        kind, read = type(self), super().__getitem__
        if kind.__getitem__ is not SeededDraws.__getitem__ or (
            getattr(read, '__func__', None) is not BaseDataset.__getitem__
            or kind.prepare_data not in _PREPARE
            or kind.get_data_info.__module__.partition('.')[0] not in _PACKAGES
        ):
            return None, None
        steps = [self.pipeline, *getattr(self.pipeline, 'transforms', ())]
        if list(map(id, self._plan[0])) != list(map(id, steps)):  # hooks replace them
            self._plan = steps, BatchedViews.of(self.pipeline), LargeViews.of(self.pipeline)
        return self._plan[1:]


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """mmengine's ``DefaultSampler`` with indices that carry the seed and the epoch.

    It takes the arguments of ``DefaultSampler``; the Runner fills in the dataset and
    the seed.
    """

    _start = 0

    def start_at(self, num_samples: int) -> None:
        """Skip the first samples of the next pass only.

        Args:
            num_samples (int): Number of this rank's samples that the interrupted
                epoch has already used.
        """
        self._start = num_samples

    def __iter__(self) -> Iterator[SampleIndex]:
        start, self._start = self._start, 0
        for index in islice(super().__iter__(), start, None):
            yield SampleIndex(index, self.seed, self.epoch)


@DATA_SAMPLERS.register_module()
class WholeSetSampler(Sampler):
    """Every rank reads every image once, in the same order.

    Args:
        dataset (Dataset): The dataset.
        shuffle (bool): Use a random order, which depends on the seed, instead of
            the dataset's. Defaults to False.
        seed (int, optional): The seed of the order. Defaults to None: 0.
    """

    def __init__(self, dataset: Sized, shuffle: bool = False, seed: int | None = None) -> None:
        self.size, self.shuffle, self.seed = len(dataset), shuffle, seed or 0

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(range(self.size))
        generator = torch.Generator().manual_seed(self.seed)
        return iter(torch.randperm(self.size, generator=generator).tolist())

    def __len__(self) -> int:
        return self.size
