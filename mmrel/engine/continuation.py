"""What a resumed run keeps, what it takes from its config, and what it refuses.

A checkpoint says under ``meta['run']`` what its run was. A resumed run keeps its place,
counted in epochs (by iteration: in iterations); rate, schedule and optimizer settings are
those of the config, as if the run had had them from its start.
"""

import copy
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from mmengine.optim import _ParamScheduler
from mmengine.runner import IterBasedTrainLoop, Runner

from mmrel.version import __version__

from .global_batch import GlobalBatch, global_batch, wrappers_of

_PLACE = ('last_step', '_global_step', '_last_value', 'verbose')


def _plain(value: Any) -> Any:
    """A value as a checkpoint may hold it; of other values their text."""
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, int | float | str | type(None)) else str(value)


def _schedulers(runner: Runner) -> dict[str, list[_ParamScheduler]]:
    """The built schedulers of each optimizer, by its name."""
    schedulers = runner.param_schedulers or []
    return schedulers if isinstance(schedulers, Mapping) else {'': schedulers}


def _fingerprint(scheduler: _ParamScheduler) -> dict[str, Any]:
    """A scheduler without its place and its rates, which the optimizer's groups have."""
    left_out = (*_PLACE, 'base_values')
    static = {k: _plain(v) for k, v in scheduler.state_dict().items() if k not in left_out}
    return dict(static, type=type(scheduler).__name__)


def run_record(runner: Runner) -> dict[str, Any]:
    """What a run is, as plain values.

    Args:
        runner (Runner): With loop, optimizer and schedulers built.

    Returns:
        dict[str, Any]: For ``meta['run']`` of a checkpoint.
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
        lr=rates,
        schedule={n: [_fingerprint(s) for s in part] for n, part in _schedulers(runner).items()},
    )


def _batch(record: Mapping) -> GlobalBatch:
    return GlobalBatch(*(record[k] for k in ('batch_size', 'world_size', 'accumulative_counts')))


def _same_batch(old: Mapping, runner: Runner) -> str:
    """The options that keep an iteration's images."""
    images, world = _batch(old).iteration, runner.world_size
    size, rest = divmod(images, world)
    if rest:
        return f'run it in {old["world_size"]} process(es) with batch_size={old["batch_size"]}'
    text = f'set train_dataloader.batch_size={size}'
    parts = getattr(runner.train_loop.dataloader.sampler, 'parts', None)
    if parts is not None:
        labeled = size * parts[0] // sum(parts)
        text += f' and train_dataloader.sampler.labeled_batch={labeled}'
    return text


def check_resume(runner: Runner, meta: Mapping) -> None:
    """Refuse what a run cannot go on with.

    Args:
        runner (Runner): As it is built from its config.
        meta (Mapping): The checkpoint's, with the entry ``run``.

    Raises:
        ValueError: If the loop, the seed or the optimizer is another one, or the place in
            the run would be another one; it names the remedy.
    """
    old, new = meta['run'], run_record(runner)
    anew = 'or start anew from its weights, with load_from instead of --resume'
    if old['by_epoch'] != new['by_epoch']:
        raise ValueError(
            f'the checkpoint is of a run with train_cfg.by_epoch={old["by_epoch"]}: set it so, '
            f'{anew}'
        )
    seed = runner._randomness_cfg.get('seed')
    if seed is not None and seed != old['seed']:
        raise ValueError(
            f'randomness.seed={seed}, but the run to resume has the seed {old["seed"]}: set '
            f'randomness.seed={old["seed"]}, {anew}'
        )
    for name in {*old['optimizers'], *new['optimizers']}:
        then, now = (record['optimizers'].get(name) for record in (old, new))
        if then != now:
            key = f'{name}.optimizer.type' if name not in ('', 'weights') else 'optimizer.type'
            raise ValueError(
                f'optim_wrapper.{key}={now}, but the state in the checkpoint is of {then}: set it '
                f'so, {anew}'
            )
    if not new['by_epoch']:
        then, now = _batch(old), _batch(new)
        if then.iteration != now.iteration:
            raise ValueError(
                f'an iteration has {now.iteration} images, the run to resume has {then.iteration}, '
                f'and it is by iteration: {_same_batch(old, runner)}, {anew}'
            )
    elif old['epoch_length'] != new['epoch_length'] and (
        meta['iter'] != meta['epoch'] * old['epoch_length']
    ):
        raise ValueError(
            f'an epoch has {new["epoch_length"]} iterations, the run to resume has '
            f'{old["epoch_length"]}, and its checkpoint is of the middle of an epoch: '
            f'{_same_batch(old, runner)} and take the same images, or resume from the end of an '
            'epoch'
        )
    if old['schedule'] != new['schedule'] and any(
        getattr(s, 'need_val_args', False) for part in _schedulers(runner).values() for s in part
    ):
        raise ValueError(
            'a schedule that follows the validation (ReduceOnPlateau) cannot be changed at a '
            f'resume: set param_scheduler as it was, {anew}'
        )


class Fresh:
    """Optimizer groups and schedulers as a config makes them, before a checkpoint is loaded.

    Args:
        runner (Runner): With both built.
    """

    def __init__(self, runner: Runner) -> None:
        self.groups = {
            name: [{k: v for k, v in g.items() if k != 'params'} for g in w.param_groups]
            for name, w in wrappers_of(runner.optim_wrapper).items()
        }
        self.states = {
            name: [copy.deepcopy(s.state_dict()) for s in part]
            for name, part in _schedulers(runner).items()
        }

    def differences(self, runner: Runner) -> list[str]:
        """Settings of the loaded optimizer that are not the config's, as text."""
        found = []
        for name, wrapper in wrappers_of(runner.optim_wrapper).items():
            scheduled = {s.param_name for s in _schedulers(runner).get(name, [])}
            for mine, loaded in zip(self.groups[name], wrapper.param_groups, strict=True):
                for key in mine.keys() & loaded.keys() - scheduled:
                    then, now = _plain(loaded[key]), _plain(mine[key])
                    if then != now:
                        label = '.'.join(filter(None, (name, key.removeprefix('initial_'))))
                        found.append(f'{label} {then} -> {now}')
        return sorted(set(found))

    def restore(self, runner: Runner) -> None:
        """Make both as they were; the optimizer's state stays the loaded one."""
        for name, wrapper in wrappers_of(runner.optim_wrapper).items():
            for mine, loaded in zip(self.groups[name], wrapper.param_groups, strict=True):
                loaded.update(mine)
        for name, part in _schedulers(runner).items():
            for scheduler, state in zip(part, self.states[name], strict=True):
                scheduler.load_state_dict(copy.deepcopy(state))


def _stepped() -> None:
    """Stands in for an optimizer's ``step`` that was called before the scheduler's."""


_stepped._with_counter = True


def place(
    schedulers: Sequence[_ParamScheduler], groups: list[dict], iters: int, epoch_length: int
) -> None:
    """Take schedulers of a run's start to a place in it, step by step.

    mmengine's schedulers change the value they find, so a place has no closed form. Groups
    with the same values take the same way: each way is gone once.

    Args:
        schedulers (Sequence[_ParamScheduler]): As they are built. Those by epoch step after
            each whole epoch.
        groups (list[dict]): Their optimizer's; they get the values of the place.
        iters (int): Iterations done.
        epoch_length (int): Iterations of an epoch; 0: the run has no epochs.
    """
    ways: dict[str, int] = {}
    which = []
    for group in groups:
        values = sorted((k, repr(v)) for k, v in group.items() if k != 'params')
        which.append(ways.setdefault(str(values), len(ways)))
    first = [which.index(way) for way in range(len(ways))]
    stand_in = SimpleNamespace(
        param_groups=[dict(groups[i]) for i in first], step=_stepped, _global_step=0
    )
    kept = [(s.optimizer, s.base_values) for s in schedulers]
    for scheduler in schedulers:
        scheduler.optimizer = stand_in
        scheduler.base_values = [scheduler.base_values[i] for i in first]
        scheduler._last_value = [scheduler._last_value[i] for i in first]
    by_iter = [s for s in schedulers if not s.by_epoch]
    by_epoch = [s for s in schedulers if s.by_epoch]
    for done in range(1, iters + 1):
        for scheduler in by_iter:
            scheduler.step()
        if by_epoch and epoch_length and done % epoch_length == 0:
            for scheduler in by_epoch:
                scheduler.step()
    for group, way in zip(groups, which, strict=True):
        for scheduler in schedulers:
            group[scheduler.param_name] = stand_in.param_groups[way][scheduler.param_name]
    for scheduler, (optimizer, base_values) in zip(schedulers, kept, strict=True):
        scheduler.optimizer, scheduler.base_values = optimizer, base_values
        scheduler._last_value = [scheduler._last_value[way] for way in which]


def continue_run(runner: Runner, meta: Mapping, fresh: Fresh, schedulers_loaded: bool) -> None:
    """After mmengine's resume: the place, and what the config changes.

    Args:
        runner (Runner): The resumed runner.
        meta (Mapping): The checkpoint's, with the entry ``run``.
        fresh (Fresh): Optimizer and schedulers of the config.
        schedulers_loaded (bool): Whether the checkpoint had the schedulers' state.
    """
    old, new = meta['run'], run_record(runner)
    # mmengine takes over the seed, but the sampler was built before.
    sampler = runner.train_loop.dataloader.sampler
    if getattr(sampler, 'seed', runner.seed) != runner.seed:
        sampler.seed = runner.seed
        if not new['by_epoch']:  # its workers have begun
            iterator = runner.train_loop.dataloader_iterator
            runner.train_loop.dataloader_iterator = type(iterator)(runner.train_loop.dataloader)
    if new['by_epoch'] and old['epoch_length'] != new['epoch_length']:
        runner.train_loop._iter = meta['epoch'] * new['epoch_length']
    # Of the schedulers as the config has them: the loaded ones are the old run's.
    differences = fresh.differences(runner)
    fresh_record = dict(new, schedule=fresh_schedule(runner, fresh))
    moved = runner.iter != meta['iter'] or not schedulers_loaded
    rescheduled = old['schedule'] != fresh_record['schedule']
    if differences or moved or rescheduled:
        _reschedule(runner, fresh, new)
    _say(runner, old, fresh_record, meta, differences, rescheduled)


def fresh_schedule(runner: Runner, fresh: Fresh) -> dict[str, list[dict]]:
    """The fingerprints of the config's schedulers, whatever was loaded into them."""
    found = {}
    for name, part in _schedulers(runner).items():
        found[name] = []
        for scheduler, state in zip(part, fresh.states[name], strict=True):
            like = SimpleNamespace(state_dict=lambda state=state: state)
            found[name].append(dict(_fingerprint(like), type=type(scheduler).__name__))
    return found


def _reschedule(runner: Runner, fresh: Fresh, new: Mapping) -> None:
    fresh.restore(runner)
    length = new['epoch_length'] if new['by_epoch'] else 0
    for name, part in _schedulers(runner).items():
        groups = wrappers_of(runner.optim_wrapper)[name].param_groups
        place(part, groups, runner.iter, length)


def _say(
    runner: Runner,
    old: Mapping,
    new: Mapping,
    meta: Mapping,
    differences: list[str],
    rescheduled: bool,
) -> None:
    """One line on what is other than it was, and what follows from it."""
    keys = (
        ('max_epochs', 'train_cfg.max_epochs'),
        ('max_iters' if not new['by_epoch'] else None, 'train_cfg.max_iters'),
        ('dataset_size', 'training images'),
        ('batch_size', 'train_dataloader.batch_size'),
        ('world_size', 'processes'),
        ('accumulative_counts', 'optim_wrapper.accumulative_counts'),
    )
    changed = [f'{label} {old[k]} -> {new[k]}' for k, label in keys if k and old[k] != new[k]]
    # Groups with rates of their own differ alike: a few of them say it.
    changed += differences[:4] + ['param_scheduler'] * (rescheduled and not changed)
    if not changed:
        return
    then, now = _batch(old), _batch(new)
    same = 'the same' if then.size == now.size else f'{then.size} before'
    group = next(iter(wrappers_of(runner.optim_wrapper).values())).param_groups[-1]
    place_said = f'iteration {runner.iter}'
    if runner.iter != meta['iter']:
        place_said += f' (as iteration {meta["iter"]} before)'
    if new['by_epoch']:
        place_said = f'epoch {runner.epoch}, {place_said}'
    runner.logger.warning(
        f'resumed under other conditions: {", ".join(changed)}. The run goes on at {place_said}, '
        f"with the rate {group['lr']:.4g} of the config's schedule and a global batch of {now} "
        f'({same})'
    )
