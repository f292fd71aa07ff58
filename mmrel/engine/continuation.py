"""What a resumed run keeps, what it takes from its config, and what it refuses.

A checkpoint records its run under ``meta['run']``. A resumed run keeps its position,
counted in epochs (or in iterations, if it trains by iteration). Learning rate, schedule and
optimizer settings come from the config, as if the run had used them from the start.
"""

import copy
from collections.abc import Mapping, Sequence
from types import SimpleNamespace

from mmengine.optim import _ParamScheduler
from mmengine.runner import Runner

from mmrel.utils.network_record import plain

from .global_batch import wrappers_of
from .run_record import (
    batch_of,
    check_record,
    fingerprint,
    run_record,
    schedulers_of,
)


def _same_batch(old: Mapping, runner: Runner) -> str:
    """The options that keep the number of images per iteration."""
    images, world = batch_of(old).iteration, runner.world_size
    size, rest = divmod(images, world)
    if rest:
        return f'use {old["world_size"]} process(es) with batch_size={old["batch_size"]}'
    text = f'set train_dataloader.batch_size={size}'
    parts = getattr(runner.train_loop.dataloader.sampler, 'parts', None)
    if parts is not None:
        labeled = size * parts[0] // sum(parts)
        text += f' and train_dataloader.sampler.labeled_batch={labeled}'
    return text


def check_resume(runner: Runner, meta: Mapping) -> None:
    """Refuse a checkpoint that this run cannot continue.

    Args:
        runner (Runner): Built from its config.
        meta (Mapping): The checkpoint's ``meta``, with the entry ``run``.

    Raises:
        ValueError: If the loop, the seed, the optimizer or the position in the run would
            change. The message says what to do.
    """
    old, new = meta['run'], run_record(runner)
    check_record(old, new)
    anew = 'or start a new run from its weights (load_from without --resume)'
    if old['by_epoch'] != new['by_epoch']:
        raise ValueError(
            f'train_cfg.by_epoch={new["by_epoch"]}, but the run to resume has '
            f'{old["by_epoch"]}: set train_cfg.by_epoch={old["by_epoch"]}, {anew}'
        )
    seed = runner._randomness_cfg.get('seed')
    if seed is not None and seed != old['seed']:
        raise ValueError(
            f'randomness.seed={seed}, but the run to resume has seed {old["seed"]}: set '
            f'randomness.seed={old["seed"]}, {anew}'
        )
    for name in {*old['optimizers'], *new['optimizers']}:
        then, now = (record['optimizers'].get(name) for record in (old, new))
        if then != now:
            key = f'{name}.optimizer.type' if name not in ('', 'weights') else 'optimizer.type'
            raise ValueError(
                f'optim_wrapper.{key}={now}, but the checkpoint holds the state of {then}: set '
                f'optim_wrapper.{key}={then}, {anew}'
            )
    if old['groups'] != new['groups']:
        number = sum(map(len, new['groups'].values()))
        raise ValueError(
            f'the {number} parameter group(s) of the optimizer differ from those of the run to '
            f'resume: restore its optim_wrapper.paramwise_cfg, {anew}'
        )
    if not new['by_epoch']:
        then, now = batch_of(old), batch_of(new)
        if then.iteration != now.iteration:
            raise ValueError(
                f'an iteration has {now.iteration} images, but {then.iteration} in the run to '
                f'resume, which counts iterations: {_same_batch(old, runner)}, {anew}'
            )
    elif old['epoch_length'] != new['epoch_length'] and (
        meta['iter'] != meta['epoch'] * old['epoch_length']
    ):
        raise ValueError(
            f'an epoch has {new["epoch_length"]} iterations, but {old["epoch_length"]} in the run '
            'to resume, whose checkpoint is from the middle of an epoch: '
            f'{_same_batch(old, runner)} and use the same images, or resume from a checkpoint at '
            'the end of an epoch'
        )
    if old['schedule'] != new['schedule'] and any(
        getattr(s, 'need_val_args', False) for part in schedulers_of(runner).values() for s in part
    ):
        raise ValueError(
            'a schedule that depends on validation results (ReduceOnPlateau) cannot be changed '
            f'on resume: restore its param_scheduler, {anew}'
        )


class Fresh:
    """Optimizer groups and schedulers as built from the config, before a checkpoint is loaded.

    Args:
        runner (Runner): The runner, with its optimizer and schedulers built.
    """

    def __init__(self, runner: Runner) -> None:
        self.groups = {
            name: [{k: v for k, v in g.items() if k != 'params'} for g in w.param_groups]
            for name, w in wrappers_of(runner.optim_wrapper).items()
        }
        self.states = {
            name: [copy.deepcopy(s.state_dict()) for s in part]
            for name, part in schedulers_of(runner).items()
        }

    def differences(self, runner: Runner) -> list[str]:
        """Settings of the loaded optimizer that differ from the config's, as text."""
        found = []
        for name, wrapper in wrappers_of(runner.optim_wrapper).items():
            scheduled = {s.param_name for s in schedulers_of(runner).get(name, [])}
            for mine, loaded in zip(self.groups[name], wrapper.param_groups, strict=True):
                for key in mine.keys() & loaded.keys() - scheduled:
                    then, now = plain(loaded[key]), plain(mine[key])
                    if then != now:
                        label = '.'.join(filter(None, (name, key.removeprefix('initial_'))))
                        found.append(f'{label} {then} -> {now}')
        return sorted(set(found))

    def restore(self, runner: Runner) -> None:
        """Restore both; the optimizer keeps its loaded state."""
        for name, wrapper in wrappers_of(runner.optim_wrapper).items():
            for mine, loaded in zip(self.groups[name], wrapper.param_groups, strict=True):
                loaded.update(mine)
        for name, part in schedulers_of(runner).items():
            for scheduler, state in zip(part, self.states[name], strict=True):
                scheduler.load_state_dict(copy.deepcopy(state))


def _stepped() -> None:
    """Stand-in for an optimizer's ``step`` that was called before the scheduler's."""


_stepped._with_counter = True  # type: ignore[attr-defined]


def place(
    schedulers: Sequence[_ParamScheduler], groups: list[dict], iters: int, epoch_length: int
) -> None:
    """Step freshly built schedulers to a position in the run.

    mmengine's schedulers update the current value, so there is no closed form for a position.
    Groups with equal values change in the same way and are stepped only once.

    Args:
        schedulers (Sequence[_ParamScheduler]): Freshly built schedulers. Those that count
            epochs step after each full epoch.
        groups (list[dict]): Their optimizer's groups, set in place to the values at that
            position.
        iters (int): Iterations done.
        epoch_length (int): Iterations per epoch. 0: the run has no epochs.
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
    """Set the position and apply the config's changes, after mmengine's resume.

    Args:
        runner (Runner): The resumed runner.
        meta (Mapping): The checkpoint's ``meta``, with the entry ``run``.
        fresh (Fresh): Optimizer and schedulers as the config defines them.
        schedulers_loaded (bool): Whether the checkpoint had the schedulers' state.
    """
    old, new = meta['run'], run_record(runner)
    # mmengine takes over the seed, but the sampler was built before.
    sampler = runner.train_loop.dataloader.sampler
    if getattr(sampler, 'seed', runner.seed) != runner.seed:
        sampler.seed = runner.seed
        if not new['by_epoch']:  # its workers have started already
            iterator = runner.train_loop.dataloader_iterator
            runner.train_loop.dataloader_iterator = type(iterator)(runner.train_loop.dataloader)
    if new['by_epoch'] and old['epoch_length'] != new['epoch_length']:
        runner.train_loop._iter = meta['epoch'] * new['epoch_length']
    # Compare the config's schedulers: the loaded ones are the old run's.
    differences = fresh.differences(runner)
    fresh_record = dict(new, schedule=fresh_schedule(runner, fresh))
    moved = runner.iter != meta['iter'] or not schedulers_loaded
    rescheduled = old['schedule'] != fresh_record['schedule']
    if differences or moved or rescheduled:
        _reschedule(runner, fresh, new)
    _say(runner, old, fresh_record, meta, differences, rescheduled)


def fresh_schedule(runner: Runner, fresh: Fresh) -> dict[str, list[dict]]:
    """The fingerprints of the config's schedulers, regardless of the state loaded into them."""
    found: dict[str, list[dict]] = {}
    for name, part in schedulers_of(runner).items():
        found[name] = []
        for scheduler, state in zip(part, fresh.states[name], strict=True):
            like = SimpleNamespace(state_dict=lambda state=state: state)
            found[name].append(dict(fingerprint(like), type=type(scheduler).__name__))
    return found


def _reschedule(runner: Runner, fresh: Fresh, new: Mapping) -> None:
    fresh.restore(runner)
    length = new['epoch_length'] if new['by_epoch'] else 0
    for name, part in schedulers_of(runner).items():
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
    """Log what has changed, and the effect, in one line."""
    keys = (
        ('max_epochs', 'train_cfg.max_epochs'),
        ('max_iters' if not new['by_epoch'] else None, 'train_cfg.max_iters'),
        ('dataset_size', 'training images'),
        ('batch_size', 'train_dataloader.batch_size'),
        ('world_size', 'processes'),
        ('accumulative_counts', 'optim_wrapper.accumulative_counts'),
    )
    changed = [f'{label} {old[k]} -> {new[k]}' for k, label in keys if k and old[k] != new[k]]
    # Groups with separate rates all differ in the same way: listing a few is enough.
    changed += differences[:4] + ['param_scheduler'] * (rescheduled and not changed)
    if not changed:
        return
    then, now = batch_of(old), batch_of(new)
    same = 'unchanged' if then.size == now.size else f'was {then.size}'
    group = next(iter(wrappers_of(runner.optim_wrapper).values())).param_groups[-1]
    place_said = f'iteration {runner.iter}'
    if runner.iter != meta['iter']:
        place_said += f' (was iteration {meta["iter"]})'
    if new['by_epoch']:
        place_said = f'epoch {runner.epoch}, {place_said}'
    runner.logger.warning(
        f'resumed with changes: {", ".join(changed)}. The run continues at {place_said} with '
        f"learning rate {group['lr']:.4g}, from the config's schedule, and a global batch size of "
        f'{now} ({same})'
    )
