"""The record of a run that its checkpoints hold under ``meta['run']``."""

from collections.abc import Mapping
from typing import Any

from mmengine.optim import _ParamScheduler
from mmengine.runner import IterBasedTrainLoop, Runner

from mmrel.utils.network_record import plain
from mmrel.version import __version__

from .global_batch import GlobalBatch, global_batch, wrappers_of

_PLACE = ('last_step', '_global_step', '_last_value', 'verbose')


def schedulers_of(runner: Runner) -> dict[str, list[_ParamScheduler]]:
    """The built schedulers of each optimizer, by its name."""
    schedulers = runner.param_schedulers or []
    return dict(schedulers) if isinstance(schedulers, Mapping) else {'': schedulers}


def fingerprint(scheduler: _ParamScheduler) -> dict[str, Any]:
    """A scheduler's state without its position and rates (kept in the optimizer's groups)."""
    left_out = (*_PLACE, 'base_values')
    static = {k: plain(v) for k, v in scheduler.state_dict().items() if k not in left_out}
    return dict(static, type=type(scheduler).__name__)


def run_record(runner: Runner) -> dict[str, Any]:
    """The record of a run, in plain values.

    Args:
        runner (Runner): The runner, with loop, optimizer and schedulers built.

    Returns:
        dict[str, Any]: ``meta['run']`` of a checkpoint.
    """
    batch = global_batch(runner, runner.optim_wrapper)
    loader, wrappers = runner.train_loop.dataloader, wrappers_of(runner.optim_wrapper)
    by_iter = isinstance(runner.train_loop, IterBasedTrainLoop)
    rates = {}
    for name, wrapper in wrappers.items():
        group = wrapper.param_groups[-1]
        rates[name] = float(group.get('initial_lr', group['lr']))
    return dict(
        mmrel_version=__version__,
        by_epoch=not by_iter,
        max_epochs=None if by_iter else runner.max_epochs,
        max_iters=runner.max_iters,
        epoch_length=len(loader),
        dataset_size=len(loader.dataset),
        batch_size=batch.batch_size,
        world_size=batch.world_size,
        accumulative_counts=batch.accumulation,
        seed=runner.seed,
        optimizers={name: type(w.optimizer).__name__ for name, w in wrappers.items()},
        groups={
            n: [len(g['params']) for g in w.optimizer.param_groups] for n, w in wrappers.items()
        },
        lr=rates,
        schedule={n: [fingerprint(s) for s in part] for n, part in schedulers_of(runner).items()},
    )


def check_record(old: Any, new: Mapping) -> None:
    """Reject a record that mmrel did not write."""
    if not isinstance(old, Mapping):
        raise ValueError(
            f"the checkpoint is damaged: its meta['run'] must be a dict, not {type(old).__name__}"
        )
    numbers = ('max_iters', 'epoch_length', 'dataset_size', 'batch_size', 'world_size',
               'accumulative_counts', 'seed')  # fmt: skip
    wrong = [key for key in new if key not in old]
    wrong += [key for key in numbers if key in old and not isinstance(old[key], int)]
    wrong += [key for key in ('optimizers', 'groups', 'schedule')
              if key in old and not isinstance(old[key], Mapping)]  # fmt: skip
    if wrong:
        raise ValueError(
            f"the checkpoint is damaged: its meta['run'] has no valid {', '.join(wrong)}"
        )


def batch_of(record: Mapping) -> GlobalBatch:
    """The global batch in a record."""
    return GlobalBatch(*(record[k] for k in ('batch_size', 'world_size', 'accumulative_counts')))
