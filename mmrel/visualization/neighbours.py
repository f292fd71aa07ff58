"""Images next to their nearest neighbors."""

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


def find_neighbours(features: Tensor, queries: Sequence[int], k: int = 8) -> tuple[Tensor, Tensor]:
    """The nearest neighbours of some images by cosine, themselves left out.

    Args:
        features (Tensor): One row an image, (N, D); of any length.
        queries (Sequence[int]): Rows to find neighbours for.
        k (int): At most N - 1 are found. Defaults to 8.

    Returns:
        tuple[Tensor, Tensor]: Similarities and rows, both (Q, min(k, N - 1)),
        best first.

    Raises:
        ValueError: If there is no other image, a query is not a row, or k is
            not positive.
    """
    rows = torch.as_tensor(queries, dtype=torch.long)
    if len(features) < 2 or k < 1:
        raise ValueError(f'{len(features)} image(s) and k={k}: there is no neighbour to find')
    if rows.numel() == 0 or rows.min() < 0 or rows.max() >= len(features):
        raise ValueError(f'queries={queries} must name rows of {len(features)} features')
    unit = F.normalize(features.float(), dim=1)
    similarity, index = nearest(unit[rows], unit, k + 1)
    itself = index == rows[:, None].to(index.device)
    # Among many copies of an image it may not be in its own list; then the last goes.
    itself[:, -1] |= ~itself.any(dim=1)
    shape = len(rows), -1
    return similarity[~itself].view(shape), index[~itself].view(shape)


def choose_queries(labels: Tensor | int, count: int = 10, seed: int = 0) -> list[int]:
    """Images at random, from as many classes as possible.

    Args:
        labels (Tensor | int): The images' classes, (N,), or N for images
            without classes.
        count (int): At most N are chosen. Defaults to 10.
        seed (int): Of the choice. Defaults to 0.

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
    # A stable sort: of each class the first, then of each class the second, ...
    chosen = sorted(order, key=rounds.__getitem__)[:count]
    return sorted(chosen, key=lambda row: (int(labels[row]), row))


def _short(name: str, length: int = 12) -> str:
    return name if len(name) <= length else name[: length - 1] + '…'


def plot_neighbours(
    images: Tensor,
    features: Tensor,
    labels: Tensor | None,
    queries: Sequence[int],
    out: str | PathLike,
    k: int = 8,
    classes: Sequence[str] | None = None,
) -> None:
    """Draw a row for each query: the image, then its nearest neighbours.

    A neighbour's frame is green if its class is the query's, else red; images
    without classes have no frames. The cosine similarity stands below it.

    Args:
        images (Tensor): RGB, uint8, (N, 3, H, W).
        features (Tensor): Their features, (N, D).
        labels (Tensor, optional): Their classes, (N,); None: they have none.
        queries (Sequence[int]): The rows' queries.
        out (str | PathLike): The PNG to write.
        k (int): Neighbours a row. Defaults to 8.
        classes (Sequence[str], optional): The classes' names. Defaults to
            None: their numbers.

    Raises:
        ValueError: If images, features and labels differ in number, or as
            :func:`find_neighbours`.
    """
    from matplotlib.figure import Figure

    if len(images) != len(features) or (labels is not None and len(labels) != len(images)):
        classed = '' if labels is None else f' and {len(labels)} labels'
        raise ValueError(
            f'{len(images)} images, {len(features)} features{classed} must be equally many'
        )
    similarity, index = find_neighbours(features, queries, k)
    # All lengths are in inches: a row has the image, its class above and the similarity below.
    height, below, gap, header = images.shape[2] / images.shape[3], 0.24, 0.06, 0.4
    above = gap if labels is None else 0.2
    row_height = height + above + below
    width = max(5.1, 1.3 + (1 + gap) * index.shape[1] + gap)
    total = header + row_height * len(queries)
    figure = Figure(figsize=(width, total))

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / width, 1 - y / total, text, fontsize=9, va='baseline', **style)

    def draw(x: float, y: float, row: int, colour: str | None) -> None:
        axes = figure.add_axes((x / width, 1 - (y + height) / total, 1 / width, height / total))
        axes.imshow(images[row].permute(1, 2, 0).cpu().numpy())
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=colour is not None, color=colour, linewidth=3)
        if labels is None:
            return
        name = str(int(labels[row])) if classes is None else classes[int(labels[row])]
        write(x + 0.5, y - 0.06, _short(name), ha='center', color=colour or 'black')

    write(gap + 0.5, 0.2, 'query', ha='center', weight='bold')
    colours = '' if labels is None else ' (green: same class)'
    write(1.3, 0.2, f'nearest neighbours, by cosine{colours}', weight='bold')
    for i, query in enumerate(queries):
        y = header + i * row_height + above
        draw(gap, y, query, None)
        for j, row in enumerate(index[i].tolist()):
            x = 1.3 + (1 + gap) * j
            colour = None
            if labels is not None:
                colour = _RIGHT if labels[row] == labels[query] else _WRONG
            draw(x, y, row, colour)
            write(x + 0.5, y + height + 0.15, f'{similarity[i, j]:.2f}', ha='center')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, format='png')
