"""Plot supernet scores of paths against their stand-alone accuracy."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path


def plot_ranking(
    alone: Sequence[float], panels: Mapping[str, Sequence[Mapping]], out: str | PathLike
) -> None:
    """Draw one panel per kind of supernet, with one color per seed.

    Args:
        alone (Sequence[float]): Stand-alone accuracy of each path, in percent.
        panels (Mapping[str, Sequence[Mapping]]): For each title, the supernets, each
            with ``seed``, ``scores`` of the paths in percent, and ``tau``, an
            :class:`mmrel.search.estimates.Estimate`.
        out (str | PathLike): The PNG to write.

    Raises:
        ValueError: If there is no supernet to draw.
    """
    from matplotlib.figure import Figure

    panels = {title: rows for title, rows in panels.items() if rows}
    if not panels:
        raise ValueError('no supernet has been scored yet: nothing to plot')
    figure = Figure(figsize=(4.6 * len(panels), 4.4), layout='constrained')
    for axes, (title, rows) in zip(
        figure.subplots(1, len(panels), squeeze=False, sharey=True)[0],
        panels.items(),
        strict=True,
    ):
        for row in rows:
            label = f'seed {row["seed"]}: tau {row["tau"]:.2f}'
            axes.scatter(alone, row['scores'], s=12, alpha=0.7, label=label)
        axes.set(title=title, xlabel='trained alone, top-1 in %')
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(fontsize=8)
    figure.axes[0].set_ylabel('in the supernet, top-1 in %')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')
