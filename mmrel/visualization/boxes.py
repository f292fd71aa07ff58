"""Draw labeled and predicted boxes without their images."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path


def plot_boxes(
    labels: Mapping,
    predictions: Mapping[str, Sequence[Mapping]],
    rows: Sequence[int],
    out: str | PathLike,
    threshold: float = 0.3,
) -> None:
    """Draw the boxes of a few images, one image per row, labels first.

    Args:
        labels (Mapping): COCO annotations: ``images``, ``annotations``, ``categories``.
        predictions (Mapping[str, Sequence[Mapping]]): By title, COCO results with
            ``image_id``, ``category_id``, ``bbox`` (x, y, width, height) and ``score``.
        rows (Sequence[int]): Which images, by their place in ``labels``, from 0.
        out (str | PathLike): The PNG to write.
        threshold (float): Lowest score of a drawn box. Defaults to 0.3.

    Raises:
        ValueError: If there is no such image.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    images = labels['images']
    wrong = [row for row in rows if not 0 <= row < len(images)]
    if wrong:
        raise ValueError(f'image {wrong[0]} must be from 0 to {len(images) - 1}')
    palette = matplotlib.colormaps['tab10']
    colors = {c['id']: palette(i % 10) for i, c in enumerate(labels['categories'])}
    columns = {'labels': labels['annotations'], **predictions}
    figure = Figure(figsize=(3 * len(columns), 2.4 * len(rows) + 0.4), layout='constrained')
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for row, line in zip(rows, grid, strict=True):
        image = images[row]
        for (title, boxes), axes in zip(columns.items(), line, strict=True):
            axes.set(xlim=(0, image['width']), ylim=(image['height'], 0), xticks=[], yticks=[])
            axes.set_aspect('equal')
            if row == rows[0]:
                axes.set_title(title)
            for box in boxes:
                if box['image_id'] == image['id'] and box.get('score', 1) >= threshold:
                    x, y, width, height = box['bbox']
                    color = colors[box['category_id']]
                    axes.add_patch(Rectangle((x, y), width, height, fill=False, color=color))
    names = [Patch(color=colors[c['id']], label=c['name']) for c in labels['categories']]
    figure.legend(handles=names, loc='outside lower center', ncols=len(names))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110, format='png')
