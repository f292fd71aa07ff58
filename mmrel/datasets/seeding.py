"""A sample's random draws follow from (seed, epoch, index) alone.

Not from the number of workers, nor from how often the run was interrupted.
Persistent workers never see the sampler's epoch, so it travels with the index.
"""

import random
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import Sampler

from mmrel.registry import DATA_SAMPLERS
from mmrel.utils.mixin import Mixin


class SampleIndex(int):
    """A sample's index that knows the seed and the epoch it is drawn in.

    Args:
        index (int): The index in the data set.
        seed (int): The run's seed.
        epoch (int): The epoch, from 0.
    """

    seed: int
    epoch: int

    def __new__(cls, index: int, seed: int, epoch: int) -> 'SampleIndex':
        """An int with two more attributes."""
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

    The generators are put back afterwards: without workers the draws of the
    data would otherwise change those of the model.

    Args:
        index (int): Does something for a :class:`SampleIndex` only; with a
            plain index the generators run on as they are.
    """
    if not isinstance(index, SampleIndex):
        yield
        return
    entropy = (index.seed, index.epoch, int(index))
    words = np.random.SeedSequence(entropy).generate_state(3).tolist()
    with kept_generators():
        random.seed(words[0])
        np.random.seed(words[1])
        torch.default_generator.manual_seed(words[2])
        yield


class SeededDraws(Mixin):
    """Mixin for data sets: ``__getitem__`` draws from the index's own seed."""

    def __getitem__(self, idx: int) -> Any:
        with seeded_draws(idx):
            return super().__getitem__(int(idx))


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """mmengine's ``DefaultSampler`` whose indices carry seed and epoch.

    Args: as ``DefaultSampler``; the Runner fills in data set and seed.
    """

    _start = 0

    def start_at(self, num_samples: int) -> None:
        """Skip the first samples of the next pass, and only of that one.

        Args:
            num_samples (int): Number of this rank's samples that the interrupted epoch has seen.
        """
        self._start = num_samples

    def __iter__(self) -> Iterator[SampleIndex]:
        start, self._start = self._start, 0
        for index in islice(super().__iter__(), start, None):
            yield SampleIndex(index, self.seed, self.epoch)


@DATA_SAMPLERS.register_module()
class WholeSetSampler(Sampler):
    """Every rank reads all images, each once, in the same order.

    Args:
        dataset (Dataset): The data set.
        shuffle (bool): A random order, that of the seed, instead of the data
            set's. Defaults to False.
        seed (int, optional): Of the order. Defaults to None: 0.
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
