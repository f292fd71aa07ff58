import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader

from mmrel.datasets import EpochSampler, SampleIndex, SeededDraws, WholeSetSampler
from mmrel.datasets.seeding import seeded_draws
from tests.distributed import run_ranks


class _Draws(SeededDraws, BaseDataset):
    """Gives what the three generators draw for a sample."""

    def load_data_list(self) -> list[dict]:
        return [dict(number=i) for i in range(20)]


def _draw(results: dict) -> torch.Tensor:
    numbers = [results['number'], random.random(), np.random.rand(), torch.rand(()).item()]
    return torch.tensor(numbers, dtype=torch.float64)


def _epochs(workers: int, first: int = 0, last: int = 3, seed: int = 0) -> list[torch.Tensor]:
    """What an epoch draws, its rows sorted by sample."""
    dataset = _Draws(pipeline=[_draw])
    sampler = EpochSampler(dataset, seed=seed)
    loader = DataLoader(
        dataset, 4, sampler=sampler, num_workers=workers, persistent_workers=workers > 0
    )
    found = []
    for epoch in range(first, last):
        sampler.set_epoch(epoch)
        rows = torch.cat(list(loader))
        found.append(rows[rows[:, 0].argsort()])
    return found


@pytest.fixture(scope='module')
def reference() -> list[torch.Tensor]:
    return _epochs(workers=0)


@pytest.mark.parametrize('workers', [1, 2, 3])
def test_draws_do_not_depend_on_workers(workers: int, reference: list[torch.Tensor]) -> None:
    for ours, theirs in zip(_epochs(workers), reference, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_draws_do_not_depend_on_earlier_epochs(reference: list[torch.Tensor]) -> None:
    (resumed,) = _epochs(workers=2, first=2)
    torch.testing.assert_close(resumed, reference[2], rtol=0, atol=0)


def test_draws_differ_between_samples_epochs_and_seeds(reference: list[torch.Tensor]) -> None:
    other = _epochs(workers=0, last=1, seed=1)[0]
    draws = torch.cat([e[:, 1:] for e in (*reference, other)])
    for column in draws.T:
        assert len(column.unique()) == len(draws)


def test_the_global_generators_run_on_as_if_nothing_was_drawn() -> None:
    def state() -> tuple:
        return random.random(), np.random.rand(), torch.rand(()).item()

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    expected = state()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    with seeded_draws(SampleIndex(3, seed=1, epoch=2)):
        assert state() != expected
    assert state() == expected


def test_index_survives_the_way_to_a_worker() -> None:
    index = pickle.loads(pickle.dumps(SampleIndex(3, seed=1, epoch=2)))
    assert (index, index.seed, index.epoch) == (3, 1, 2)


def _whole_orders(rank: int) -> list[list[int]]:
    samplers = [
        WholeSetSampler(range(9), shuffle, seed) for shuffle, seed in ((0, 0), (1, 0), (1, 3))
    ]
    return [list(sampler) for sampler in samplers]


def test_every_rank_reads_the_whole_set_in_the_same_order() -> None:
    orders = _whole_orders(0)
    assert run_ranks(_whole_orders, 2) == [orders, orders]
    assert orders[0] == list(range(9))
    assert all(sorted(order) == orders[0] for order in orders)
    assert orders[0] != orders[1] != orders[2]
