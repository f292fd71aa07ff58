"""Plots of an architecture search."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def pareto_front(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """The Pareto-optimal rows, for low cost and high score.

    Args:
        costs (Sequence[float]): Costs of N paths.
        scores (Sequence[float]): Their scores.

    Returns:
        list[int]: Rows, cheapest first. Only the first of equal rows is included.
    """
    order = np.lexsort((np.arange(len(costs)), -np.asarray(scores), np.asarray(costs)))
    front, best = [], -np.inf
    for row in order.tolist():
        if scores[row] > best:
            front.append(row)
            best = scores[row]
    return front


def _finish(figure: Any, axes: Any, out: str | PathLike | BinaryIO) -> None:
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    if isinstance(out, str | PathLike):
        Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')


def _color_bar(figure: Any, points: Any, axes: Any) -> None:
    figure.colorbar(points, ax=axes, label='generation')


def plot_pareto(rows: Sequence[Mapping], cost: str, out: str | PathLike | BinaryIO) -> None:
    """Draw the scored paths by cost and score, with their Pareto front.

    Args:
        rows (Sequence[Mapping]): Rows with ``score``, ``generation`` and the cost.
        cost (str): The cost's name.
        out (str | PathLike | BinaryIO): The PNG to write.

    Raises:
        ValueError: If there are no rows.
    """
    from matplotlib.figure import Figure

    if not rows:
        raise ValueError('no path has been scored yet: nothing to plot')
    costs, scores = [row[cost] for row in rows], [row['score'] for row in rows]
    figure = Figure(figsize=(6.4, 4.4), layout='constrained')
    axes = figure.subplots()
    front = pareto_front(costs, scores)
    axes.step(
        [costs[row] for row in front], [scores[row] for row in front], where='post',
        color='tab:red', linewidth=1.5, label=f'front, {len(front)} paths',
    )  # fmt: skip
    points = axes.scatter(
        costs, scores, c=[row['generation'] for row in rows], s=16, cmap='viridis', zorder=3
    )
    _color_bar(figure, points, axes)
    axes.set(title=f'{len(rows):,} scored paths', xlabel=cost, ylabel='top-1 accuracy, %')
    _finish(figure, axes, out)


def plot_history(rows: Sequence[Mapping], out: str | PathLike | BinaryIO) -> None:
    """Draw the scores in the order of the draws, the best so far and each generation's mean.

    Args:
        rows (Sequence[Mapping]): Rows with ``slot``, ``score`` and ``generation``.
        out (str | PathLike | BinaryIO): The PNG to write.

    Raises:
        ValueError: If there are no rows.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not rows:
        raise ValueError('no path has been scored yet: nothing to plot')
    slots = np.array([row['slot'] for row in rows]) + 1
    scores = np.array([row['score'] for row in rows])
    generations = np.array([row['generation'] for row in rows])
    figure = Figure(figsize=(6.4, 4.4), layout='constrained')
    axes = figure.subplots()
    axes.scatter(slots, scores, s=10, color='tab:blue', alpha=0.5, linewidths=0, label='path')
    means = [
        (slots[generations == g].mean(), scores[generations == g].mean())
        for g in np.unique(generations)
    ]
    axes.plot(*zip(*means, strict=True), color='tab:orange', linewidth=2, label='generation mean')
    axes.step(
        slots, np.maximum.accumulate(scores), where='post', color='tab:red', linewidth=2,
        label=f'best so far: {scores.max():.2f}',
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(title='History of the search', xlabel='scored paths', ylabel='top-1 accuracy, %')
    _finish(figure, axes, out)


def plot_rank_correlation(
    x: Sequence[float],
    y: Sequence[float],
    out: str | PathLike | BinaryIO,
    xlabel: str,
    ylabel: str,
    title: str,
) -> None:
    """Draw two scores of the same paths against each other.

    Args:
        x (Sequence[float]): The first score, such as the supernet's.
        y (Sequence[float]): The second score, such as the accuracy after retraining.
        out (str | PathLike | BinaryIO): The PNG to write.
        xlabel (str): Name of ``x``.
        ylabel (str): Name of ``y``.
        title (str): Title of the plot.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.6), layout='constrained')
    axes = figure.subplots()
    axes.scatter(x, y, s=24, color='tab:blue', zorder=3, label=f'{len(x)} paths')
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    _finish(figure, axes, out)
