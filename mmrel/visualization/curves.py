"""Curves of a training run, from mmengine's ``scalars.json``."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from mmrel.utils.json_lines import read_rows


@dataclass
class Scalars:
    """The logged values of a run, in the order of training.

    Args:
        train (list[dict]): Training lines. Each has ``iter`` and ``loss``.
        val (list[dict]): Validation lines. Each has ``step``: an epoch if the
            training lines have one, else an iteration.
    """

    train: list[dict] = field(default_factory=list)
    val: list[dict] = field(default_factory=list)

    @property
    def by_epoch(self) -> bool:
        """Whether the run counts in epochs."""
        return any('epoch' in line for line in self.train)


def find_scalars(work_dir: str | PathLike) -> list[Path]:
    """The logs in a work dir, oldest first. A resumed run has several.

    Args:
        work_dir (str | PathLike): The work dir, with one folder per start, named by time.

    Returns:
        list[Path]: At least one ``TIME/vis_data/scalars.json``.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not found:
        raise FileNotFoundError(
            f'no */vis_data/scalars.json in {str(work_dir)!r}: give the work dir of a training run'
        )
    return found


def read_scalars(*paths: str | PathLike) -> Scalars:
    """Read one run's logs.

    A resumed run continues from its last checkpoint. Lines logged between that
    checkpoint and the interruption are dropped, because those steps were repeated.

    Args:
        *paths (str | PathLike): Files in chronological order (:func:`find_scalars`).

    Returns:
        Scalars: Training and validation lines.

    Raises:
        ValueError: If a file is not in mmengine's format.
    """
    run = Scalars()
    for path in paths:
        train, val = [], []
        for line in read_rows(path, half_line=True):  # a killed run may leave half a line
            if 'loss' in line:
                train.append(dict(line, iter=line.get('iter', line.get('step'))))
            elif 'step' in line:
                val.append(line)
        if train:
            start = train[0]['iter']
            run.train = [line for line in run.train if line['iter'] < start]
            # Validations use the same unit as training: epochs, if it has them.
            start = train[0].get('epoch', start)
            run.val = [line for line in run.val if line['step'] < start]
        if val:
            run.val = [line for line in run.val if line['step'] < val[0]['step']]
        run.train += train
        run.val += val
    return run


def top1_curves(run: Scalars) -> dict[str, tuple[list[float], list[float]]]:
    """The top-1 metrics of the validation lines.

    Args:
        run (Scalars): From :func:`read_scalars`.

    Returns:
        dict[str, tuple]: For each name, such as 'kNN, k = 200', its steps and
        its values, sorted by k.
    """
    keys = {key for line in run.val for key in line if key.split('/')[-1] == 'top1'}
    named: list[tuple[int, str, tuple[list[float], list[float]]]] = []
    for key in keys:
        knn = re.match(r'(teacher/)?knn(\d+)/', key)
        k = int(knn[2]) if knn else 0
        points = [(line['step'], line[key]) for line in run.val if key in line]
        whose = 'teacher, ' if knn and knn[1] else ''
        name = f'{whose}kNN, k = {k}' if knn else key.rpartition('/')[0] or key
        named.append((k, name, ([step for step, _ in points], [value for _, value in points])))
    return {name: points for _, name, points in sorted(named)}


def _draw_loss(axes: Any, run: Scalars) -> None:
    axes.plot(
        [line['iter'] for line in run.train],
        [line['loss'] for line in run.train],
        color='tab:blue',
        alpha=0.55,
        linewidth=1.2,
        label='latest iterations',
    )
    # The mean is over the epoch so far, so the last line has the mean of the full epoch.
    ends = {line['epoch']: line for line in run.train if {'epoch', 'loss_epoch'} <= line.keys()}
    if ends:
        axes.plot(
            [line['iter'] for line in ends.values()],
            [line['loss_epoch'] for line in ends.values()],
            color='tab:orange',
            linewidth=2,
            marker='o',
            markersize=4 if len(ends) <= 50 else 0,
            label='epoch',
        )
    axes.legend(title='mean over')
    axes.set(title='Training loss', xlabel='iteration', ylabel='loss')


def _draw_top1(axes: Any, run: Scalars) -> None:
    curves = top1_curves(run)
    for name, (steps, values) in curves.items():
        marker = 'o' if len(steps) <= 50 else None
        label = f'{name}: {values[-1]:.1f}'
        axes.plot(steps, values, linewidth=2, marker=marker, markersize=4, label=label)
    axes.legend(title='last value')
    unit = 'epoch' if run.by_epoch else 'iteration'
    axes.set(title='Top-1 accuracy', xlabel=unit, ylabel='%')


def plot_curves(run: Scalars, out: str | PathLike) -> None:
    """Draw the loss and the top-1 accuracies side by side.

    Args:
        run (Scalars): From :func:`read_scalars`. A panel without points is
            left out.
        out (str | PathLike): The PNG to write.

    Raises:
        ValueError: If there is nothing to draw.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    panels: list[Callable[[Any, Scalars], None]] = []
    if run.train:
        panels.append(_draw_loss)
    if top1_curves(run):
        panels.append(_draw_top1)
    if not panels:
        raise ValueError('the log has neither a training loss nor a top-1 accuracy to plot')
    figure = Figure(figsize=(6 * len(panels), 4.2), layout='constrained')
    for axes, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes, run)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')
