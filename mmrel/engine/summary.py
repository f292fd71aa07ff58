"""A run's first lines: its images, its network, and what will happen."""

from collections.abc import Iterator, Sized
from numbers import Integral
from pathlib import Path
from typing import Any

import mmengine.hooks
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmrel.datasets.class_names import class_names, parts_of
from mmrel.datasets.semi_supervised import SemiSupervisedDataset

from .distributed import unwrap
from .global_batch import global_batch
from .hooks import InitialValHook


class SummaryHook(Hook):
    """Log a run's summary, before training and before a test.

    :class:`mmrel.engine.runner.Runner` registers it; configs do not list it. It
    only reads what is built, on rank 0.
    """

    # After the other hooks of this priority, which check the data; before all validations.
    priority = 'HIGHEST'

    def before_train(self, runner: Runner) -> None:
        """Log what is trained."""
        if is_main_process():
            runner.logger.info(training_summary(runner))

    def before_test(self, runner: Runner) -> None:
        """Log what is tested or searched."""
        if is_main_process():
            runner.logger.info(test_summary(runner))


def training_summary(runner: Runner) -> str:
    """Describe a training run in three lines.

    Args:
        runner (Runner): The runner, with its loops, optimizer and hooks built.

    Returns:
        str: The images; the network; length, batch, validations and checkpoints.
    """
    images = [_images(runner.train_loop.dataloader.dataset, 'training')]
    if runner.val_loop is not None:
        images.append(_images(runner.val_loop.dataloader.dataset, 'validation'))
    plan = [
        f'{_length(runner)}, batch {global_batch(runner, runner.optim_wrapper)}',
        _validations(runner),
        _checkpoints(runner),
    ]
    return _lines(runner, images, _network(runner, trained=True), '; '.join(plan))


def test_summary(runner: Runner) -> str:
    """Describe a test or a search in two or three lines.

    Args:
        runner (Runner): The runner, with its test loop built.

    Returns:
        str: The images; the network; the paths of a search, or the images that kNN votes with.
    """
    loop = runner.test_loop
    images = [_images(loop.dataloader.dataset, getattr(loop, 'role_of_images', 'test'))]
    network = _network(runner, trained=False)
    if runner.world_size > 1:
        network += f', {count(runner.world_size, "process")}'
    # A loop with more to say has a method `plan`.
    return _lines(runner, images, network, getattr(loop, 'plan', str)())


# pytest collects functions by this prefix, also imported ones.
test_summary.__test__ = False  # type: ignore[attr-defined]


def _lines(runner: Runner, images: list[str], *more: str) -> str:
    name = Path(runner.cfg.filename or 'config').stem
    return '\n  '.join([f'{name}: {", ".join(images)}', *filter(None, more)])


def count(number: int, noun: str) -> str:
    """A number with its noun, such as '1 image' and '1,200 classes'."""
    many = noun + ('es' if noun.endswith('s') else 's')
    return f'{number:,} {noun if number == 1 else many}'


def _images(dataset: Any, role: str) -> str:
    """Such as '48 training images in 3 classes (data/train)'."""
    if isinstance(dataset, SemiSupervisedDataset):
        number = (
            f'{len(dataset.labeled):,} labeled and '
            f'{count(len(dataset.unlabeled), f"unlabeled {role} image")}'
        )
    elif isinstance(dataset, Sized):
        number = count(len(dataset), f'{role} image')
    else:
        number = f'{role} images'
    names = class_names(dataset) if _is_labeled(dataset) else None
    classes = f' in {count(len(names), "class")}' if names else ''
    folders = ' and '.join(dict.fromkeys(_folders(dataset)))
    return number + classes + (f' ({folders})' if folders else '')


def _is_labeled(dataset: Any) -> bool:
    """Whether the first image has a class. All labels would take minutes for a large set."""
    parts = parts_of(dataset)
    if parts:
        return any(map(_is_labeled, parts))
    if not hasattr(dataset, 'get_data_info') or len(dataset) == 0:
        return False
    label = dataset.get_data_info(0).get('gt_label')
    return label is not None and not (isinstance(label, Integral) and int(label) < 0)


def _folders(dataset: Any) -> Iterator[str]:
    for part in parts_of(dataset):
        yield from _folders(part)
    root = getattr(dataset, 'data_root', None)
    if isinstance(root, str) and root:
        yield root


def _size(number: int) -> str:
    return f'{number / 1e6:,.2f} M' if number >= 100_000 else f'{number:,}'


def _network(runner: Runner, trained: bool) -> str:
    model = unwrap(runner.model)
    total = sum(p.numel() for p in model.parameters())
    part = sum(p.numel() for p in model.parameters() if p.requires_grad)
    which = f' ({"all" if part == total else _size(part)} trained)' if trained else ''
    return f'model {type(model).__name__}: {_size(total)} parameters{which}, on {get_device()}'


def _unit(runner: Runner) -> str:
    return 'epoch' if isinstance(runner.train_loop, EpochBasedTrainLoop) else 'iteration'


def _length(runner: Runner) -> str:
    if _unit(runner) == 'iteration':
        return count(runner.max_iters, 'iteration')
    per_epoch = len(runner.train_loop.dataloader)
    return f'{count(runner.max_epochs, "epoch")} of {count(per_epoch, "iteration")}'


def _plan_length(runner: Runner, unit: str) -> int:
    return runner.max_epochs if unit == 'epoch' else runner.max_iters


def _validations(runner: Runner) -> str:
    """Such as 'kNN before the first epoch and every 5 epochs'."""
    if runner.val_loop is None:
        return 'no validation'
    name = 'kNN' if hasattr(runner.val_loop, 'bank_dataloader') else 'validation'
    loop, unit, times = runner.train_loop, _unit(runner), []
    if runner.iter == 0 and any(isinstance(hook, InitialValHook) for hook in runner.hooks):
        times.append(f'before the first {unit}')
    if hasattr(loop, 'dynamic_intervals'):  # not in a user's own loop
        starts = [max(start, loop.val_begin) for start in loop.dynamic_milestones]
        times += _times(starts, loop.dynamic_intervals, _plan_length(runner, unit), unit)
    return _joined(name, times)


def _checkpoints(runner: Runner) -> str:
    """Such as 'checkpoints every 5 epochs in work_dirs/mine'."""
    hooks = [h for h in runner.hooks if isinstance(h, mmengine.hooks.CheckpointHook)]
    if not hooks:
        return 'no checkpoints'
    hook, unit = hooks[0], 'epoch' if hooks[0].by_epoch else 'iteration'
    length = _plan_length(runner, unit)
    times = _times([hook.save_begin], [hook.interval], length, unit, hook.save_last)
    # The hook sets its folder later.
    return f'{_joined("checkpoints", times)} in {hook.out_dir or runner.work_dir}'


def _times(
    starts: list[int], intervals: list[int], length: int, unit: str, at_end: bool = True
) -> list[str]:
    """When something happens, by mmengine's rules for validations and checkpoints.

    Args:
        starts (list[int]): From when each interval counts.
        intervals (list[int]): Epochs or iterations; not positive: never.
        length (int): The run's length.
        unit (str): 'epoch' or 'iteration'.
        at_end (bool): Whether it also happens at the end. Defaults to True.

    Returns:
        list[str]: Such as ['every 5 epochs', 'every epoch from epoch 16'].
    """
    if starts[0] > length:
        return []
    times = []
    for start, interval in zip(starts, intervals, strict=True):
        if 0 < interval < length:
            every = f'every {unit}' if interval == 1 else f'every {interval:,} {unit}s'
            times.append(every + (f' from {unit} {start:,}' if start > 1 else ''))
    last = intervals[-1]
    if last == length or (at_end and (last <= 0 or length % last)):
        times.append(f'after the last {unit}')
    return times


def _joined(what: str, times: list[str]) -> str:
    *most, last = times or ['']
    return ' '.join(filter(None, [what, ', '.join(most), 'and' if most else '', last]))
