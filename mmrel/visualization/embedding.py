"""Two-dimensional maps of features."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from torch import Tensor

_MAX_POINTS = 2000
_MAX_LEGEND = 30


def embed_tsne(features: Tensor, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """t-SNE of the L2-normalized features, initialized with PCA.

    Args:
        features (Tensor): One row per image, (N, D). If there are more than 2,000,
            a random subset is used.
        seed (int): Seed of the subset and of t-SNE. Defaults to 0.

    Returns:
        tuple[np.ndarray, np.ndarray]: Points (M, 2), and their rows of
        ``features`` (M,).

    Raises:
        ValueError: If there are fewer than 3 features, or all are equal.
    """
    from sklearn.manifold import TSNE

    if len(features) < 3:
        raise ValueError(f't-SNE needs at least 3 features, but got {len(features)}')
    rows = np.arange(len(features))
    if len(rows) > _MAX_POINTS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MAX_POINTS, replace=False))
    unit = F.normalize(features.float(), dim=1).cpu().numpy()[rows]
    if np.ptp(unit, axis=0).max() == 0:
        raise ValueError('all features point in the same direction: the network has collapsed')
    # scikit-learn requires a perplexity below the number of points; a third of it is sensible.
    perplexity = min(30.0, (len(rows) - 1) / 3)
    tsne = TSNE(init='pca', perplexity=perplexity, random_state=seed)
    return tsne.fit_transform(unit), rows


def plot_tsne(
    features: Tensor,
    labels: Tensor | None,
    classes: Sequence[str] | None,
    out: str | PathLike,
    seed: int = 0,
) -> None:
    """Draw the t-SNE map with one color per class, or a single color without classes.

    Args:
        features (Tensor): One row per image, (N, D).
        labels (Tensor, optional): Their classes, (N,). None: they have none.
        classes (Sequence[str], optional): Class names. None: class numbers are
            shown. There is a legend for up to 30 classes.
        out (str | PathLike): The PNG to write.
        seed (int): See :func:`embed_tsne`. Defaults to 0.

    Raises:
        ValueError: If features and labels differ in number, or
            :func:`embed_tsne` raises one.
    """
    import matplotlib
    from matplotlib.figure import Figure

    if labels is not None and len(features) != len(labels):
        raise ValueError(
            f'{len(features)} features and {len(labels)} labels: the numbers must be equal'
        )
    points, rows = embed_tsne(features, seed)
    shown = np.zeros(len(rows)) if labels is None else labels.cpu().numpy()[rows]
    present = np.unique(shown)
    legend = labels is not None and len(present) <= _MAX_LEGEND
    columns = -(-len(present) // 16) if legend else 0
    figure = Figure(figsize=(6 + 1.2 * columns, 6), layout='constrained')
    axes = figure.subplots()
    if len(present) <= 20:
        colors = matplotlib.colormaps['tab10' if len(present) <= 10 else 'tab20']
    else:
        colors = matplotlib.colormaps['gist_rainbow'].resampled(len(present))
    for i, label in enumerate(present):
        x, y = points[shown == label].T
        name = str(label) if labels is None or classes is None else classes[label][:24]
        axes.scatter(x, y, s=14, color=colors(i), alpha=0.8, linewidths=0, label=name)
    if columns:
        figure.legend(
            loc='outside right upper', ncols=columns, markerscale=2, frameon=False, title='class'
        )
    counted = '' if labels is None else f', {len(present)} classes'
    axes.set(xticks=[], yticks=[], title=f't-SNE of {len(rows):,} images{counted}')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')
