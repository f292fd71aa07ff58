"""Check that all schedules fit the length of the run.

If a config leaves out ``T_max`` and ``end``, they follow ``train_cfg`` (mmengine fills in
``end``, and a cosine without ``T_max`` runs to its end). If a config sets them, this module
logs or refuses values that do not fit.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from mmengine.runner import Runner

from .distributed import unwrap


@dataclass(frozen=True)
class Span:
    """When a scheduler is active, in the run's unit (epochs or iterations).

    Args:
        key (str): Its config key, such as ``param_scheduler.0``.
        config (Mapping): Its config.
        begin (float): Its first step.
        end (float): The step after its last one.
        period (float, optional): Its ``T_max``, if set.
        unit (float): Steps of the run per step of ``config``.
    """

    key: str
    config: Mapping
    begin: float
    end: float
    period: float | None
    unit: float

    @property
    def kind(self) -> str:
        """The name of its type, without the scope."""
        kind = self.config['type']
        return getattr(kind, '__name__', str(kind)).rpartition('.')[2]

    @property
    def warms_up(self) -> bool:
        """Whether it raises a value, as a warm-up does."""
        start, end = self.config.get('start_factor', 1 / 3), self.config.get('end_factor', 1.0)
        return self.kind.startswith('Linear') and end > start

    @property
    def changes(self) -> tuple[str, str]:
        """The optimizer and the value that it changes. Schedulers can share both."""
        kind = self.config.get('param_name') or self.kind
        for name in ('LR', 'Momentum'):
            kind = name if kind.endswith(name) else kind
        return self.key.rpartition('.')[0], kind


def run_length(train_cfg: Mapping) -> tuple[str, int] | None:
    """The key of a run's length (``max_epochs`` or ``max_iters``) and its value.

    Args:
        train_cfg (Mapping): The config's ``train_cfg``.

    Returns:
        tuple[str, int] | None: Key and value, or None for another kind of loop.

    Raises:
        ValueError: If the length is not an integer of at least 1.
    """
    keys = ('max_epochs', 'max_iters')
    if train_cfg.get('by_epoch') is False:
        keys = keys[::-1]
    key = next((key for key in keys if train_cfg.get(key) is not None), None)
    if key is None:
        return None
    value = train_cfg[key]
    if not isinstance(value, int | float) or value != int(value) or value < 1:
        raise ValueError(f'train_cfg.{key}={value!r} must be a whole number of at least 1')
    return key, int(value)


def scheduler_configs(schedulers: Any, key: str = 'param_scheduler') -> Iterator[tuple[str, Any]]:
    """Each scheduler's key and config.

    Args:
        schedulers (Any): One config, a list, or a dict of lists (one per optimizer).
        key (str): Key of ``schedulers`` in the config. Defaults to 'param_scheduler'.

    Yields:
        tuple[str, Any]: Key and config.
    """
    if isinstance(schedulers, Mapping) and 'type' not in schedulers:
        for name, part in schedulers.items():
            yield from scheduler_configs(part, f'{key}.{name}')
    elif isinstance(schedulers, list | tuple):
        for i, part in enumerate(schedulers):
            yield from scheduler_configs(part, f'{key}.{i}')
    elif isinstance(schedulers, Mapping):
        yield key, schedulers


def spans(cfg: Mapping, epoch_length: int | None = None) -> list[Span]:
    """When each of a config's schedulers is active, as mmengine interprets them.

    Args:
        cfg (Mapping): The full config.
        epoch_length (int, optional): Iterations per epoch. Defaults to None: not
            known yet. Schedulers in a unit other than the run's are then left out.

    Returns:
        list[Span]: The spans, in the run's unit. Empty for a loop without a length.

    Raises:
        ValueError: If a scheduler counts epochs in an iteration-based run and is not
            converted, or a length is not a number.
    """
    run = run_length(cfg['train_cfg'])
    if run is None:
        return []
    key, length = run
    run_by_epoch, found = key == 'max_epochs', []
    for name, config in scheduler_configs(cfg.get('param_scheduler')):
        for part in ('begin', 'end', 'T_max'):
            left_out = None if part == 'T_max' else 0
            if not isinstance(config.get(part, left_out), int | float | type(left_out)):
                raise ValueError(f'{name}.{part}={config[part]!r} must be a number')
        by_epoch = config.get('by_epoch', True)
        converted = config.get('convert_to_iter_based') and 'end' in config
        if by_epoch and not run_by_epoch and not converted:
            raise ValueError(
                f'{name} ({config["type"]}) counts epochs, but train_cfg counts iterations '
                f'(max_iters={length}): set {name}.by_epoch=False, and give begin, end and T_max '
                'in iterations'
            )
        if by_epoch == run_by_epoch:
            unit: float = 1
        elif epoch_length is None:
            continue
        else:
            unit = epoch_length if by_epoch else 1 / epoch_length
        begin, period = config.get('begin', 0) * unit, config.get('T_max')
        end = config['end'] * unit if 'end' in config else length
        found.append(Span(name, config, begin, end, period and period * unit, unit))
    return found


def check_warmups(found: list[Span], length: tuple[str, int]) -> None:
    """Refuse schedulers that begin after the run ends, and warm-ups that outlast it.

    Args:
        found (list[Span]): From :func:`spans`.
        length (tuple[str, int]): From :func:`run_length`.

    Raises:
        ValueError: If there is such a schedule.
    """
    key, run = length
    for span in found:
        remedy = f'lower it or raise train_cfg.{key}'
        if span.begin >= run:
            raise ValueError(
                f'{span.key}.begin={span.config["begin"]} ({span.kind}) is not before '
                f'the end of the run, train_cfg.{key}={run}: {remedy}'
            )
        if span.begin >= span.end:
            raise ValueError(
                f'{span.key}.begin={span.config.get("begin", 0)} is not before '
                f'{span.key}.end={span.config["end"]}'
            )
        if span.warms_up and span.end > run:
            raise ValueError(
                f'{span.key}.end={span.config["end"]} ({span.kind}): the warm-up is '
                f'longer than the run, train_cfg.{key}={run}: {remedy}, and adjust begin '
                'of the next schedule'
            )


def mismatches(found: list[Span], length: int) -> dict[str, tuple[Any, Any]]:
    """Keys whose values make a schedule end before or after the run.

    Args:
        found (list[Span]): From :func:`spans`.
        length (int): The run's length, in its unit.

    Returns:
        dict[str, tuple[Any, Any]]: For each key, its value and the value that fits.
    """
    last: dict[tuple[str, str], float] = {}
    for span in found:
        last[span.changes] = max(span.end, last.get(span.changes, 0))
    wrong: dict[str, tuple[Any, Any]] = {}
    for span in found:
        ends_last = span.end == last[span.changes]
        end = length if ends_last else span.end
        period = (end - span.begin) / span.unit
        if span.period is not None and round(span.period / span.unit - period, 6):
            wrong[f'{span.key}.T_max'] = (span.config['T_max'], f'{period:g}')
        if ends_last and span.end != length:
            wrong[f'{span.key}.end'] = (span.config['end'], f'{length / span.unit:g}')
        late = [m for m in span.config.get('milestones', ()) if m * span.unit >= length]
        if late:
            limit = f'below {length / span.unit:g}'
            wrong[f'{span.key}.milestones'] = (list(span.config['milestones']), limit)
    return wrong


def check_length_option(cfg: Mapping, cfg_options: Mapping | None) -> None:
    """Refuse a length from the command line that the config's schedule does not follow.

    Args:
        cfg (Mapping): The config, with the options applied.
        cfg_options (Mapping, optional): Dotted keys and their values. If they set any
            key of ``param_scheduler``, the schedule is assumed to be intended.

    Raises:
        ValueError: If the schedule does not follow. The message lists the keys to set.
    """
    options = cfg_options or {}
    flat = {f'{key}.{part}': value for key, value in options.items()
            if isinstance(value, Mapping) for part, value in value.items()}  # fmt: skip
    given = {'train_cfg.max_epochs', 'train_cfg.max_iters'} & {*options, *flat}
    length = run_length(cfg.get('train_cfg') or {})
    if not given or length is None:
        return
    found = spans(cfg)
    check_warmups(found, length)
    wrong = mismatches(found, length[1])
    if wrong and not any(key.split('.')[0] == 'param_scheduler' for key in options):
        now = ', '.join(f'{key}={value}' for key, (value, _) in wrong.items())
        fitting = ' '.join(f'{key}={value}' for key, (_, value) in wrong.items())
        raise ValueError(
            f'train_cfg.{length[0]}={length[1]} changes only the length, not the schedule '
            f'({now}): remove these keys from the config so that they follow the length, or add '
            f'{fitting}'
        )


def _model_warmups(runner: Runner) -> Iterator[tuple[str, float, float]]:
    """The model's warm-ups: key, length and the run's length in the same unit."""
    for name, module in unwrap(runner.model).named_modules():
        for key in getattr(module, 'warmup_keys', ()):
            value = attrgetter(key)(module)
            if value:
                run = runner.max_iters if key.endswith('iters') else runner.max_epochs
                yield '.'.join(filter(None, ('model', name, key))), value, run


def _hook_warmups(runner: Runner) -> Iterator[tuple[str, float, float]]:
    """The hooks' warm-ups. mmpretrain's ``SwitchRecipeHook`` counts epochs from 1."""
    names = [str(hook['type']) for hook in runner.cfg.get('custom_hooks') or ()
             if isinstance(hook, Mapping)]  # fmt: skip
    for hook in runner.hooks:
        kind = type(hook).__name__
        place = next((i for i, name in enumerate(names) if name.endswith(kind)), None)
        where = kind if place is None else f'custom_hooks.{place}'
        for key in getattr(hook, 'warmup_keys', ()):
            yield f'{where}.{key}', getattr(hook, key), runner.max_epochs
        if kind == 'SwitchRecipeHook':
            for i, epoch in enumerate(hook.schedule):
                yield f'{where}.schedule.{i}.action_epoch', epoch, runner.max_epochs


def check_run(runner: Runner) -> None:
    """Compare all schedules of a run with its length, before it starts.

    Warm-ups do not follow the run's length. One log line lists them.

    Args:
        runner (Runner): The runner, with its train loop built.

    Raises:
        ValueError: If a warm-up or a change of views is beyond the end of the run.
    """
    length = run_length(runner.cfg.get('train_cfg') or {})
    if length is None:
        return
    key, run = length
    found = spans(runner.cfg, len(runner.train_loop.dataloader))
    check_warmups(found, length)
    fixed = [f'{s.key}.end={s.config["end"]}' for s in found if s.warms_up and 'end' in s.config]
    for name, value, limit in (*_model_warmups(runner), *_hook_warmups(runner)):
        if value > limit:
            by_iter = ' (an iteration-based run is one epoch)' if key == 'max_iters' else ''
            raise ValueError(
                f'{name}={value} is longer than the run of {limit}{by_iter}, so what follows '
                f'would never begin: lower it or raise train_cfg.{key}={run}'
            )
        fixed.append(f'{name}={value:g}')
    say = runner.logger
    if fixed:
        say.info(f'lengths that do not follow train_cfg.{key}={run}: {", ".join(fixed)}')
    wrong = mismatches(found, run)
    if wrong:
        now = ', '.join(f'{name}={value}' for name, (value, _) in wrong.items())
        say.warning(
            f'the schedule does not end with the run, train_cfg.{key}={run}: {now}; leave these '
            'keys out to let them follow it'
        )
    _check_validation(runner, key, run)


def _check_validation(runner: Runner, key: str, run: int) -> None:
    loop = runner.train_loop
    if runner._val_loop is None:
        return
    if getattr(loop, 'val_begin', 0) > run:
        runner.logger.warning(
            f'train_cfg.val_begin={loop.val_begin} is after the end of the run, '
            f'train_cfg.{key}={run}: the run never validates'
        )
    elif getattr(loop, 'val_interval', 0) > run:
        runner.logger.warning(
            f'train_cfg.val_interval={loop.val_interval} is longer than the run, '
            f'train_cfg.{key}={run}: the run validates only at its end'
        )
