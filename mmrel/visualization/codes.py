"""Plot the codes of many paths: a heat map, and their positions on the simplex."""

from os import PathLike
from pathlib import Path

import numpy as np


def plot_codes(
    codes: np.ndarray, costs: np.ndarray, out: str | PathLike, cost_name: str = 'FLOPs'
) -> None:
    """Draw codes as a heat map ordered by cost, and in their first two PCA directions.

    Args:
        codes (np.ndarray): Codes (N, K), with K at least 2.
        costs (np.ndarray): Costs of the paths, (N,).
        out (str | PathLike): The PNG to write.
        cost_name (str): Name of the cost. Defaults to 'FLOPs'.

    Raises:
        ValueError: If there are fewer than two paths or dictionaries.
    """
    from matplotlib.figure import Figure

    codes, costs = np.asarray(codes, dtype=np.float64), np.asarray(costs)
    if codes.ndim != 2 or min(codes.shape) < 2:
        raise ValueError(
            f'codes of shape {codes.shape} cannot be plotted: at least 2 paths and K = 2 are needed'
        )
    order = np.argsort(costs, kind='stable')
    figure = Figure(figsize=(10.4, 4.6), layout='constrained')
    heat, plane = figure.subplots(1, 2)
    image = heat.imshow(codes[order], aspect='auto', interpolation='nearest', vmin=0)
    heat.set(xlabel='dictionary', ylabel=f'path, by {cost_name}', title='share of each dictionary')
    heat.set_xticks(range(codes.shape[1]), [str(i + 1) for i in range(codes.shape[1])])
    figure.colorbar(image, ax=heat)
    centered = codes - codes.mean(0)
    _, scales, axes = np.linalg.svd(centered, full_matrices=False)
    places = centered @ axes[:2].T
    total = max(float((scales**2).sum()), np.finfo(np.float64).tiny)
    shares = 100 * scales[:2] ** 2 / total
    points = plane.scatter(*places.T, c=costs, s=14)
    plane.set(
        xlabel=f'first direction ({shares[0]:.0f}% of the spread)',
        ylabel=f'second direction ({shares[1]:.0f}%)',
        title=f'{len(codes)} codes',
    )
    plane.spines[['top', 'right']].set_visible(False)
    figure.colorbar(points, ax=plane, label=cost_name)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')
