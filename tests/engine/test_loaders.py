"""Loaders with and without workers."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from mmrel.engine.loaders import batch_size_of, build_dataloader, end_workers


def _config(**changes: object) -> dict:
    dataset, sampler = list(range(6)), list(range(6))
    return dict(dataset=dataset, sampler=sampler, batch_size=2, **changes)


@pytest.mark.parametrize('workers', [dict(), dict(num_workers=0)])
def test_settings_of_workers_without_workers(workers: dict) -> None:
    loader = build_dataloader(_config(persistent_workers=True, prefetch_factor=4, **workers))
    assert not loader.persistent_workers
    assert len(list(loader)) == 3
    assert build_dataloader(loader) is loader


def test_workers_outlive_the_signals_of_a_job() -> None:
    config = _config(num_workers=1, persistent_workers=True, prefetch_factor=1)
    loader = build_dataloader(config, seed=1)
    assert loader.persistent_workers
    batches = iter(loader)
    first = next(batches)
    (worker,) = batches._workers
    sender = os.fork()
    if sender == 0:  # not the worker's parent, like a launcher
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            os.kill(worker.pid, number)
        os._exit(0)
    os.waitpid(sender, 0)
    time.sleep(0.1)
    assert worker.is_alive()
    assert [first, *batches] == [[0, 1], [2, 3], [4, 5]]
    worker.terminate()
    worker.join(10)
    assert worker.exitcode == 0


def test_persistent_workers_end_when_a_run_does() -> None:
    loader = build_dataloader(_config(num_workers=1, persistent_workers=True))
    first = list(loader)
    (worker,) = loader._iterator._workers
    assert worker.is_alive()
    end_workers()
    assert not worker.is_alive()
    assert list(loader) == first
    assert loader._iterator._workers[0].is_alive()
    end_workers()


@pytest.mark.parametrize('open_', [dict(), dict(batch_size=None)])
def test_a_sampler_that_composes_batches_sets_their_size(open_: dict) -> None:
    sampler = dict(type='mmrel.SemiSupervisedSampler', labeled_batch=2, mu=3, infinite=True)
    dataset = SimpleNamespace(labeled=range(4), unlabeled=range(9))
    config = dict(dataset=dataset, sampler=sampler, **open_)
    assert build_dataloader(config).batch_size == batch_size_of(config) == 2 * (1 + 3)
    # A given size is kept; LabeledSetHook refuses a wrong one.
    given = dict(config, batch_size=7)
    assert build_dataloader(given).batch_size == batch_size_of(given) == 7


def test_other_samplers_do_not() -> None:
    assert batch_size_of(dict(sampler=dict(type='mmrel.EpochSampler', shuffle=True))) is None
    assert batch_size_of(dict(sampler=[0, 1])) is None
