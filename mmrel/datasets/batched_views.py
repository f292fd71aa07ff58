"""Make the views of a batch of small images together, as the pipeline makes them one by one.

For small images, calling Pillow and torch takes longer than their work. Here all choices
are drawn first, and then one step at a time is applied to all images. The samples are the
same.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmpretrain.datasets.transforms import PackInputs
from torch import Tensor

from mmrel.registry import TRANSFORMS

from .batched_steps import (
    APPLY,
    draw_all,
    draw_one,
    on_device,
    pixels_of,
    planes_of,
    side_of,
    stacked,
)
from .transforms import CentralView, LoadImage
from .transforms.batched_draws import Streams, plain_colors, reproduces_torch
from .transforms.crop_resize import SMALL_SIDE


class ViewPipeline:
    """A pipeline of mmrel's views that is applied to many samples at once.

    Args:
        load (LoadImage): The first step.
        views (Sequence[Sequence[Any]]): The steps of each view.
        single (bool): Whether a sample has one view, outside a list.
        pack (PackInputs): The last step.
    """

    def __init__(
        self, load: LoadImage, views: Sequence[Sequence[Any]], single: bool, pack: PackInputs
    ) -> None:
        self.load, self.views, self.single, self.pack = load, views, single, pack

    @staticmethod
    def parts_of(pipeline: Compose) -> tuple[LoadImage, list[list], bool, PackInputs] | None:
        """The arguments of this class.

        Args:
            pipeline (Compose): The pipeline.

        Returns:
            tuple | None: None if it does not begin with ``LoadImage`` and end with ``PackInputs``.
        """
        steps = list(pipeline.transforms)
        known = [LoadImage, TRANSFORMS.get('PackInputs')]
        if len(steps) < 3 or [type(steps[0]), type(steps[-1])] != known:
            return None
        middle, single = steps[1:-1], True
        views = [middle]
        if len(middle) == 1 and type(middle[0]) is TRANSFORMS.get('MultiView'):
            views, single = [list(view.transforms) for view in middle[0].transforms], False
        return steps[0], views, single, steps[-1]

    def packed(
        self,
        infos: Sequence[dict],
        samples: Iterable[Sequence[Tensor]],
        drawn: Sequence[Sequence[Any]],
    ) -> list[dict]:
        """Samples as the pipeline packs them.

        Args:
            infos (Sequence[dict]): What is known of them.
            samples (Iterable[Sequence[Tensor]]): The views of each sample.
            drawn (Sequence[Sequence[Any]]): The draws of each view's steps, for all samples.

        Returns:
            list[dict]: The samples.
        """
        made = [dict(info, img=self._one(x)) for info, x in zip(infos, samples, strict=True)]
        colors = self._device_colors(drawn, len(infos))
        if colors is not None:
            for info, rows in zip(made, zip(*colors, strict=True), strict=True):
                info['colors'] = self._one(rows)
        return [self.pack(info) for info in made]

    def _one(self, views: Sequence[Tensor]) -> Any:
        return views[0] if self.single else list(views)

    def _device_colors(
        self, drawn: Sequence[Sequence[Any]], number: int
    ) -> list[Sequence[Tensor]] | None:
        """Rows of the colors that the device changes, per view; None if it changes none."""
        last = [(steps[-1], draws[-1]) for steps, draws in zip(self.views, drawn, strict=True)]
        if not any(on_device(step) for step, _ in last):
            return None
        same = torch.from_numpy(plain_colors(number))
        return [
            (draw.colors if on_device(step) and draw.colors is not None else same).unbind()
            for step, draw in last
        ]


class BatchedViews(ViewPipeline):
    """The pipeline of small views: each step is applied to all samples."""

    @classmethod
    def of(cls, pipeline: Compose) -> 'BatchedViews | None':
        """The batched form of a pipeline.

        Args:
            pipeline (Compose): The pipeline.

        Returns:
            BatchedViews | None: None if it has other steps than mmrel's views, or large ones.
        """
        parts = cls.parts_of(pipeline)
        # With a draft, the image's size would depend on the draws.
        if parts is None or parts[0].draft:
            return None
        for view in parts[1]:
            sides = [side_of(step) if type(step) in APPLY else SMALL_SIDE + 1 for step in view]
            # The first step makes images of one size.
            if not sides or sides[0] is None or max(side or 0 for side in sides) > SMALL_SIDE:
                return None
        return cls(*parts)

    @property
    def draws_nothing(self) -> bool:
        """Whether the views are the same in each epoch (evaluation)."""
        return all(isinstance(step, CentralView) for view in self.views for step in view)

    def fixed(self, infos: Sequence[dict]) -> list[dict]:
        """Make views without random choices (see :attr:`draws_nothing`).

        Args:
            infos (Sequence[dict]): The samples; the images are added.

        Returns:
            list[dict]: The samples, as the pipeline packs them.
        """
        self._load(infos)
        return self._finish(infos, [[[None] * len(infos) for _ in view] for view in self.views])

    def draw(self, info: dict) -> list[list[Any]]:
        """Load a sample's image and draw its views from torch's generator.

        Args:
            info (dict): The sample; the image is added.

        Returns:
            list[list[Any]]: The draws of each view's steps.
        """
        now = self.load(info)['img'].size
        return [
            [draw_one(step, size) for step, size in zip(view, _sizes(view, now), strict=True)]
            for view in self.views
        ]

    def finish(self, infos: Sequence[dict], draws: Sequence[list[list[Any]]]) -> list[dict]:
        """Make the views that were drawn with :meth:`draw`.

        Args:
            infos (Sequence[dict]): The samples.
            draws (Sequence[list[list[Any]]]): Their draws.

        Returns:
            list[dict]: The samples, as the pipeline packs them.
        """
        drawn = [
            [stacked(step, [sample[v][s] for sample in draws]) for s, step in enumerate(view)]
            for v, view in enumerate(self.views)
        ]
        return self._finish(infos, drawn)

    def seeded(self, infos: Sequence[dict], seeds: Sequence[int]) -> list[dict]:
        """Draw and make the views of samples that each have a seed.

        Args:
            infos (Sequence[dict]): The samples; the images are added.
            seeds (Sequence[int]): The seeds of torch's generator.

        Returns:
            list[dict]: The samples, as the pipeline packs them.
        """
        if not reproduces_torch():
            generator, draws = torch.default_generator, []
            for info, seed in zip(infos, seeds, strict=True):
                generator.manual_seed(seed)
                draws.append(self.draw(info))
            return self.finish(infos, draws)
        return self.from_streams(infos, Streams(seeds))

    def from_streams(self, infos: Sequence[dict], streams: Streams) -> list[dict]:
        """Draw and make the views of samples, from the next numbers of their streams.

        Args:
            infos (Sequence[dict]): The samples; the images are added.
            streams (Streams): Their random numbers.

        Returns:
            list[dict]: The samples, as the pipeline packs them.
        """
        own = self._load(infos)
        drawn = [
            [
                draw_all(step, streams, np.broadcast_to(size, own.shape))
                for step, size in zip(view, _sizes(view, own), strict=True)
            ]
            for view in self.views
        ]
        return self._finish(infos, drawn)

    def _load(self, infos: Sequence[dict]) -> np.ndarray:
        """Load all images; their widths and heights, (B, 2)."""
        images = [info.get('img') for info in infos]
        shapes = {image.shape for image in images if isinstance(image, np.ndarray)}
        if (
            len(shapes) == 1
            and all(isinstance(x, np.ndarray) and x.dtype == np.uint8 for x in images)
            and len(shape := shapes.pop()) == 3
            and shape[2] == 3
        ):  # no need for Pillow images
            for info in infos:
                info['ori_shape'] = shape[:2]
            return np.tile((shape[1], shape[0]), (len(infos), 1))
        return np.array([self.load(info)['img'].size for info in infos]).reshape(-1, 2)

    def _finish(self, infos: Sequence[dict], drawn: Sequence[Sequence[Any]]) -> list[dict]:
        if not infos:
            return []
        originals: Any = [info['img'] for info in infos]
        if isinstance(originals[0], np.ndarray):
            originals = np.stack(originals)
        views = []
        for steps, draws in zip(self.views, drawn, strict=True):
            images: Any = originals
            for step, draw in zip(steps, draws, strict=True):
                images = APPLY[type(step)](step, images, draw)
            views.append(planes_of(pixels_of(images)).unbind())
        return self.packed(infos, zip(*views, strict=True), drawn)


def _sizes(view: Sequence[Any], size: Any) -> list[Any]:
    """The sizes of the images that a view's steps get: first ``size``, then what a crop makes."""
    sizes = [size]
    for step in view[:-1]:
        side = side_of(step)
        sizes.append(sizes[-1] if side is None else (side, side))
    return sizes
