"""Draw images next to their nearest neighbors."""

from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrel.evaluation.knn import nearest

_RIGHT, _WRONG = '#1a7f37', '#c62828'


def find_neighbors(features: Tensor, queries: Sequence[int], k: int = 8) -> tuple[Tensor, Tensor]:
    """The nearest neighbors of some images by cosine similarity, excluding themselves.

    Args:
        features (Tensor): One row per image, (N, D). They need not be normalized.
        queries (Sequence[int]): Rows to find neighbors for.
        k (int): Number of neighbors, limited to N - 1. Defaults to 8.

    Returns:
        tuple[Tensor, Tensor]: Similarities and rows, both (Q, min(k, N - 1)),
        best first.

    Raises:
        ValueError: If there are fewer than 2 images, a query is not a valid row, or
            k is not positive.
    """
    rows = torch.as_tensor(queries, dtype=torch.long)
    if len(features) < 2 or k < 1:
        raise ValueError(
            f'{len(features)} image(s) and k={k}: at least 2 images and k=1 are needed'
        )
    if rows.numel() == 0 or rows.min() < 0 or rows.max() >= len(features):
        raise ValueError(f'queries={queries} must name rows of {len(features)} features')
    unit = F.normalize(features.float(), dim=1)
    similarity, index = nearest(unit[rows], unit, k + 1)
    itself = index == rows[:, None].to(index.device)
    # If an image has many copies, it may not be in its own list. Then drop the last entry.
    itself[:, -1] |= ~itself.any(dim=1)
    shape = len(rows), -1
    return similarity[~itself].view(shape), index[~itself].view(shape)


def choose_queries(labels: Tensor | int, count: int = 10, seed: int = 0) -> list[int]:
    """Choose random images that cover the maximum number of classes.

    Args:
        labels (Tensor | int): The images' classes, (N,), or N for images
            without classes.
        count (int): Number of images, limited to N. Defaults to 10.
        seed (int): Seed of the choice. Defaults to 0.

    Returns:
        list[int]: Rows, ordered by class.
    """
    if isinstance(labels, int):
        labels = torch.zeros(labels, dtype=torch.long)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).tolist()
    seen: Counter = Counter()
    rounds = {}
    for row in order:
        rounds[row] = seen[int(labels[row])]
        seen[int(labels[row])] += 1
    # A stable sort: the first image of each class, then the second of each class, ...
    chosen = sorted(order, key=rounds.__getitem__)[:count]
    return sorted(chosen, key=lambda row: (int(labels[row]), row))


def _short(name: str, length: int = 12) -> str:
    return name if len(name) <= length else name[: length - 1] + '…'


def plot_neighbors(
    images: Tensor,
    features: Tensor,
    labels: Tensor | None,
    queries: Sequence[int],
    out: str | PathLike,
    k: int = 8,
    classes: Sequence[str] | None = None,
) -> None:
    """Draw one row per query: the image, then its nearest neighbors.

    A neighbor's frame is green if it has the query's class, else red. Images
    without classes have no frames. The cosine similarity is shown below.

    Args:
        images (Tensor): RGB images, uint8, (N, 3, H, W).
        features (Tensor): Their features, (N, D).
        labels (Tensor, optional): Their classes, (N,). None: they have none.
        queries (Sequence[int]): Indices of the query images.
        out (str | PathLike): The PNG to write.
        k (int): Number of neighbors per row. Defaults to 8.
        classes (Sequence[str], optional): Class names. Defaults to None: class
            numbers are shown.

    Raises:
        ValueError: If images, features and labels differ in number, or
            :func:`find_neighbors` raises one.
    """
    from matplotlib.figure import Figure

    if len(images) != len(features) or (labels is not None and len(labels) != len(images)):
        classed = '' if labels is None else f' and {len(labels)} labels'
        raise ValueError(
            f'{len(images)} images, {len(features)} features{classed}: the numbers must be equal'
        )
    similarity, index = find_neighbors(features, queries, k)
    # All lengths are in inches. A row has the image, its class above and the similarity below.
    height, below, gap, header = images.shape[2] / images.shape[3], 0.24, 0.06, 0.4
    above = gap if labels is None else 0.2
    row_height = height + above + below
    width = max(5.1, 1.3 + (1 + gap) * index.shape[1] + gap)
    total = header + row_height * len(queries)
    figure = Figure(figsize=(width, total))

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / width, 1 - y / total, text, fontsize=9, va='baseline', **style)

    def draw(x: float, y: float, row: int, color: str | None) -> None:
        axes = figure.add_axes((x / width, 1 - (y + height) / total, 1 / width, height / total))
        axes.imshow(images[row].permute(1, 2, 0).cpu().numpy())
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=color is not None, color=color, linewidth=3)
        if labels is None:
            return
        name = str(int(labels[row])) if classes is None else classes[int(labels[row])]
        write(x + 0.5, y - 0.06, _short(name), ha='center', color=color or 'black')

    write(gap + 0.5, 0.2, 'query', ha='center', weight='bold')
    colors = '' if labels is None else ' (green: same class)'
    write(1.3, 0.2, f'nearest neighbors, by cosine{colors}', weight='bold')
    for i, query in enumerate(queries):
        y = header + i * row_height + above
        draw(gap, y, query, None)
        for j, row in enumerate(index[i].tolist()):
            x = 1.3 + (1 + gap) * j
            color = None
            if labels is not None:
                color = _RIGHT if labels[row] == labels[query] else _WRONG
            draw(x, y, row, color)
            write(x + 0.5, y + height + 0.15, f'{similarity[i, j]:.2f}', ha='center')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')
