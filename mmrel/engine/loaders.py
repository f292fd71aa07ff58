"""Build the data loaders of a run."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from weakref import WeakSet

import mmengine.runner
from torch.utils.data import DataLoader

from mmrel.registry import DATA_SAMPLERS

# torch rejects these settings if there are no workers.
_FOR_WORKERS = ('persistent_workers', 'prefetch_factor')
_built: WeakSet[DataLoader] = WeakSet()


def batch_size_of(dataloader: Mapping) -> Any:
    """The batch size of a loader's config.

    Args:
        dataloader (Mapping): The config. It may leave out ``batch_size`` (no key, or
            None) if its sampler composes batches, as
            :class:`~mmrel.datasets.semi_supervised.SemiSupervisedSampler` does.

    Returns:
        int, optional: Images per batch on each rank; None if the config does not say.
    """
    size, sampler = dataloader.get('batch_size'), dataloader.get('sampler')
    if size is not None or not isinstance(sampler, Mapping):
        return size
    kind: Any = sampler.get('type')
    kind = DATA_SAMPLERS.get(kind) if isinstance(kind, str) else kind
    if not hasattr(kind, 'batch_size_of'):
        return None
    return kind.batch_size_of(**{k: v for k, v in sampler.items() if k != 'type'})


def build_dataloader(
    dataloader: DataLoader | Mapping, seed: int | None = None, diff_rank_seed: bool = False
) -> DataLoader:
    """mmengine's ``Runner.build_dataloader``, for any number of workers.

    With ``num_workers=0`` the worker settings are dropped. A batch size that is left
    out follows from the sampler (:func:`batch_size_of`). Workers survive a
    signal that a launcher sends to all processes of a job, because the training
    process needs them until its checkpoint is written.

    Args:
        dataloader (DataLoader | Mapping): A loader's config, or a loader, which
            is returned unchanged.
        seed (int, optional): The run's seed. Defaults to None.
        diff_rank_seed (bool): Same as in mmengine. Defaults to False.

    Returns:
        DataLoader: The loader.
    """
    if isinstance(dataloader, DataLoader):
        return dataloader
    if not dataloader.get('num_workers'):
        dataloader = {k: v for k, v in dataloader.items() if k not in _FOR_WORKERS}
    if (size := batch_size_of(dataloader)) is not None:
        dataloader = dict(dataloader, batch_size=size)
    loader = mmengine.runner.Runner.build_dataloader(dataloader, seed, diff_rank_seed)
    loader.worker_init_fn = partial(_start_worker, init=loader.worker_init_fn)
    _built.add(loader)
    return loader


def end_workers() -> None:
    """End the persistent workers of all loaders built here; another epoch starts new ones.

    If Python's garbage collector closes a loader's queues first, the loader cannot tell
    its workers to end, and waits five seconds for each.
    """
    for loader in _built:
        loader._iterator = None


def _start_worker(worker_id: int, init: Callable[[int], None] | None) -> None:
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    # torch ends a worker with SIGTERM; obey it only if it comes from the training process.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    if init is not None:
        init(worker_id)


def _end_with_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
