"""Make a sample's random draws depend only on (seed, epoch, index).

They do not depend on the number of workers or on interruptions of the run.
Persistent workers never see the sampler's epoch, so the index carries it.
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
    """Mixin for datasets: ``__getitem__`` draws with the seed of the index."""

    def __getitem__(self, idx: int) -> Any:
        with seeded_draws(idx):
            return super().__getitem__(int(idx))


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
