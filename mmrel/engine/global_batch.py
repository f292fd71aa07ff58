"""The global batch size of a step, and the learning rate scaled with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

RULES = ('linear', 'sqrt')


def wrappers_of(optim_wrapper: OptimWrapper) -> dict[str, OptimWrapper]:
    """The optimizer wrappers by name. A single one is named ''."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        return dict(optim_wrapper.items())
    return {'': optim_wrapper}


def accumulative_counts(optim_wrapper: OptimWrapper) -> int:
    """Iterations whose gradients are accumulated for one optimizer step."""
    return max(w._accumulative_counts for w in wrappers_of(optim_wrapper).values())


@dataclass(frozen=True)
class GlobalBatch:
    """Number of images per optimizer step.

    Args:
        batch_size (int): Batch size per process.
        world_size (int): Number of processes.
        accumulation (int): Iterations per step.
    """

    batch_size: int
    world_size: int
    accumulation: int

    @property
    def iteration(self) -> int:
        """Images per iteration, over all processes."""
        return self.batch_size * self.world_size

    @property
    def size(self) -> int:
        """Images per optimizer step."""
        return self.iteration * self.accumulation

    def __str__(self) -> str:
        processes = f'{self.world_size} process' + 'es' * (self.world_size > 1)
        steps = f', {self.accumulation} iterations per step' * (self.accumulation > 1)
        return f'{self.size} ({self.batch_size} on {processes}{steps})'


def global_batch(runner: Runner, optim_wrapper: OptimWrapper) -> GlobalBatch:
    """The global batch of a run.

    Args:
        runner (Runner): The runner, with its train loop built.
        optim_wrapper (OptimWrapper): Its optimizer wrapper.

    Returns:
        GlobalBatch: The batch. It counts both labeled and unlabeled images.
    """
    loader = runner.train_loop.dataloader
    size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None) or 1
    return GlobalBatch(size, runner.world_size, accumulative_counts(optim_wrapper))


def scale_rates(runner: Runner, optim_wrapper: OptimWrapper, settings: Mapping | None) -> None:
    """Scale the learning rates with the global batch, or log the factor if scaling is off.

    Unlike mmengine's ``scale_lr``, it accounts for gradient accumulation and supports the
    square-root rule.

    Args:
        runner (Runner): The runner, with its train loop built.
        optim_wrapper (OptimWrapper): Its rates are changed if ``settings.enable`` is set.
        settings (Mapping, optional): The config's ``auto_scale_lr``.

    Raises:
        KeyError: If scaling is on without ``base_batch_size``.
        ValueError: If the rule is unknown.
    """
    settings = settings or {}
    batch, base = global_batch(runner, optim_wrapper), settings.get('base_batch_size')
    _check_accumulation(runner, batch)
    if base is None:
        if settings.get('enable'):
            raise KeyError('auto_scale_lr.enable=True needs auto_scale_lr.base_batch_size')
        return
    rule = settings.get('rule', 'linear')
    if rule not in RULES:
        raise ValueError(f"auto_scale_lr.rule={rule!r} must be 'linear' or 'sqrt'")
    ratio = batch.size / base if rule == 'linear' else math.sqrt(batch.size / base)
    if not settings.get('enable'):
        if batch.size != base:
            runner.logger.warning(
                f'the learning rate is for a batch size of {base}, but this run has {batch}: it is '
                f'not scaled (--auto-scale-lr would multiply it by {ratio:.4g}, rule {rule!r})'
            )
        return
    rates = []
    for wrapper in wrappers_of(optim_wrapper).values():
        # With several groups mmengine adds one that only the log reads.
        before = wrapper.param_groups[-1]['lr']
        for group in wrapper.param_groups:
            group['lr'] *= ratio
        rates.append(f'{before:.4g} -> {wrapper.param_groups[-1]["lr"]:.4g}')
    runner.logger.info(
        f'auto_scale_lr: the learning rate is for a batch size of {base}, but this run has '
        f'{batch.size}: multiplied by {ratio:.4g}, rule {rule!r}: {", ".join(rates)} for {batch}'
    )


def _check_accumulation(runner: Runner, batch: GlobalBatch) -> None:
    counts, length = batch.accumulation, len(runner.train_loop.dataloader)
    by_epoch = runner.max_iters == runner.max_epochs * length
    if by_epoch and length % counts:
        runner.logger.warning(
            f'optim_wrapper.accumulative_counts={counts} does not divide the {length} iterations '
            'of an epoch: some steps use images from two epochs'
        )
