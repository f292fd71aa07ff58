"""mmrel's views on batches of small images: their draws, and the pixels they make.

The results are those of each view's ``draw`` and ``apply``.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .transforms import (
    CentralView,
    ContrastiveView,
    CutoutView,
    PaddedCropView,
    RandAugmentView,
    WeakView,
)
from .transforms.batched_draws import Streams, draw_colors, draw_crops
from .transforms.batched_host_color import change_batch
from .transforms.batched_resize import enlarged_crops
from .transforms.draws import ColorDraw, OperationDraw, color_row
from .transforms.host_color import mirrored, split
from .transforms.small_image_views import _operations

_RESAMPLE = dict(bilinear=Image.Resampling.BILINEAR, bicubic=Image.Resampling.BICUBIC)

# Pillow images, or one array (B, H, W, 3) uint8.
Images = Sequence[Image.Image] | np.ndarray


class ViewRows(NamedTuple):
    """The draws of a view, for a batch.

    Attributes:
        boxes (ndarray): Top, left, height and width of the crops, (B, 4).
        flips (ndarray): Which views are mirrored, (B,) bool.
        colors (Tensor, optional): (B, ROW) as from :func:`.color_row`; None: unchanged.
    """

    boxes: np.ndarray
    flips: np.ndarray
    colors: Tensor | None


def side_of(step: Any) -> int | None:
    """Side of the view that a crop makes; None for a step that keeps the size."""
    if isinstance(step, CutoutView | RandAugmentView):
        return None
    return step.size[0] if isinstance(step, WeakView) else step.size


def on_device(step: Any) -> bool:
    """Whether the device changes a view's colors later."""
    return getattr(step, 'color', 'host') == 'device'


def draw_one(step: Any, size: tuple[int, int]) -> Any:
    """A sample's draw, from torch's generator; ``size`` is (width, height)."""
    return None if isinstance(step, CentralView) else step.draw(size)


def stacked(step: Any, draws: Sequence[Any]) -> Any:
    """Draws from :func:`draw_one`, as :func:`draw_all` returns them."""
    if not isinstance(step, WeakView | PaddedCropView):
        return draws
    boxes = np.array([draw.crop.box for draw in draws])
    colors = None
    if any(draw.color != ColorDraw() for draw in draws):
        colors = torch.stack([color_row(draw.color) for draw in draws])
    return ViewRows(boxes, np.array([draw.flip for draw in draws]), colors)


def draw_all(step: Any, streams: Streams, sizes: np.ndarray) -> Any:
    """The draws of a batch.

    Args:
        step (BaseTransform): A view.
        streams (Streams): The samples.
        sizes (ndarray): Width and height of each image, (B, 2).

    Returns:
        ViewRows | Sequence: What the step's entry in :data:`APPLY` takes.
    """
    if isinstance(step, CentralView):
        return [None] * len(streams)
    if isinstance(step, CutoutView):
        left, top = (streams.below(side) - step.size // 2 for side in sizes.T)
        return list(zip(left.tolist(), top.tolist(), strict=True))
    if isinstance(step, RandAugmentView):
        return _draw_operations(step, streams, sizes)
    if isinstance(step, PaddedCropView):
        boxes = np.full((len(streams), 4), step.size)
        for column in (0, 1):
            # Without padding, torchvision draws nothing.
            boxes[:, column] = streams.below(2 * step.padding + 1) if step.padding else 0
        return ViewRows(boxes, streams.happens(step.flip_prob), None)
    boxes = draw_crops(streams, sizes, step.scale, step.RATIO)
    colors = None
    if isinstance(step, ContrastiveView):
        colors = draw_colors(
            streams,
            step.jitter,
            step.jitter_prob,
            step.gray_prob,
            step.blur_prob,
            step.blur_sigma,
            step.solarize_prob,
            step.solarize_threshold,
        )
    return ViewRows(boxes, streams.happens(step.flip_prob), colors)


def _draw_operations(
    step: RandAugmentView, streams: Streams, sizes: np.ndarray
) -> list[list[OperationDraw]]:
    found: list[list[OperationDraw]] = [[] for _ in range(len(streams))]
    for _ in range(step.num_ops):
        levels = streams.below(len(step.magnitudes))
        tables = [
            _operations(step.magnitudes[level], step.levels, tuple(size))
            for level, size in zip(levels.tolist(), sizes.tolist(), strict=True)
        ]
        places = streams.below(np.array([len(table) for table in tables]))
        chosen = [table[place] for table, place in zip(tables, places.tolist(), strict=True)]
        signed = np.array([sign for *_, sign in chosen]).nonzero()[0]
        negative = set(signed[streams.below(2, signed) == 1].tolist())
        for i, (name, strength, _) in enumerate(chosen):
            found[i].append(OperationDraw(name, -strength if i in negative else strength))
    return found


def _resized_crops(step: WeakView, images: Images, drawn: ViewRows) -> np.ndarray:
    """Crop and resize; color and flip together."""
    planes = _crops(step, images, drawn.boxes)
    if drawn.colors is not None and not on_device(step):
        change_batch(planes, drawn.colors.numpy())
    views = planes.swapaxes(0, 1).copy()
    if drawn.flips.any():
        views[drawn.flips] = mirrored(views[drawn.flips])
    return views.transpose(0, 2, 3, 1)


def _crops(step: WeakView, images: Images, boxes: np.ndarray) -> np.ndarray:
    """The crops as planes, (3, B, H, W)."""
    resample, size = _RESAMPLE[step.interpolation.value], step.size
    enlarged = resample == Image.Resampling.BILINEAR and boxes[:, 2:].max(initial=0) <= size[0]
    if isinstance(images, np.ndarray) and enlarged:
        return enlarged_crops(np.ascontiguousarray(images), boxes, size[0])
    crops = []
    for image, (top, left, height, width) in zip(_pictures(images), boxes.tolist(), strict=True):
        crops.append(image.crop((left, top, left + width, top + height)).resize(size, resample))
    return split(pixels_of(crops).reshape(-1, size[0], 3)).reshape(3, -1, *size)


def planes_of(pixels: np.ndarray) -> Tensor:
    """The pixels of a batch, (B, 3, H, W) uint8."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def _padded_crops(step: PaddedCropView, images: Images, drawn: ViewRows) -> np.ndarray:
    size, pictures = step.size, _pictures(images)
    if any(image.size != (size, size) for image in pictures):
        center = CentralView(size)  # resizes and crops as PaddedCropView does
        pictures = [center.transform(dict(img=image))['img'] for image in pictures]
    fitting = pixels_of(pictures)
    border = (step.padding, step.padding)
    padded = np.pad(fitting, ((0, 0), border, border, (0, 0)), 'reflect')
    views = np.empty((len(pictures), size, size, 3), np.uint8)
    for view, source, (top, left, _, _) in zip(views, padded, drawn.boxes.tolist(), strict=True):
        view[:] = source[top : top + size, left : left + size]
    return _flipped(views, drawn.flips)


def _cutouts(step: CutoutView, images: Images, drawn: Sequence[tuple[int, int]]) -> np.ndarray:
    views = pixels_of(images).copy()
    for view, (left, top) in zip(views, drawn, strict=True):
        rows, columns = (slice(max(start, 0), max(start + step.size, 0)) for start in (top, left))
        view[rows, columns] = step.fill
    return views


def _operations_applied(step: RandAugmentView, images: Images, drawn: Sequence[Any]) -> np.ndarray:
    pairs = zip(_pictures(images), drawn, strict=True)
    return pixels_of([step.apply(image, draw) for image, draw in pairs])


def _central(step: CentralView, images: Images, drawn: Sequence[None]) -> np.ndarray:
    if isinstance(images, np.ndarray) and {*images.shape[1:3], step.resize} == {step.size}:
        return images
    return pixels_of([step.transform(dict(img=image))['img'] for image in _pictures(images)])


def _pictures(images: Images) -> Sequence[Image.Image]:
    if isinstance(images, np.ndarray):
        return [Image.fromarray(image) for image in np.ascontiguousarray(images)]
    return images


def pixels_of(images: Images) -> np.ndarray:
    """The pixels of images of one size, (B, H, W, 3) uint8."""
    if isinstance(images, np.ndarray):
        return images
    width, height = images[0].size
    content = bytearray(b''.join([image.tobytes() for image in images]))
    return np.frombuffer(content, np.uint8).reshape(-1, height, width, 3)


def _flipped(views: np.ndarray, flips: np.ndarray) -> np.ndarray:
    views[flips] = views[flips, :, ::-1]
    return views


# The steps that can be applied to a batch, by exact type.
APPLY: dict[type, Callable[[Any, Images, Any], np.ndarray]] = {
    WeakView: _resized_crops,
    ContrastiveView: _resized_crops,
    PaddedCropView: _padded_crops,
    CutoutView: _cutouts,
    RandAugmentView: _operations_applied,
    CentralView: _central,
}
