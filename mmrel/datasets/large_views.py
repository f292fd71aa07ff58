"""Make the random choices of large views for a whole batch, and the views one by one.

Making large views one by one costs little, but drawing them does: torch needs a call for each
random number. The samples are those that the pipeline makes one by one.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from mmcv.transforms import Compose
from mmpretrain.datasets.transforms import PackInputs
from torch import Tensor

from mmrel.registry import TRANSFORMS

from .batched_steps import ViewRows, draw_all, on_device
from .transforms import ContrastiveView, LoadImage, WeakView
from .transforms.batched_draws import Streams
from .transforms.packing import unchanged_colors
from .transforms.views import decode_at_least

# Images that are decoded before their views are made: few enough for any memory.
_IMAGES = 16
_PIXELS = 2**24

# Box, flip, and the row of the colors if they change.
Draw = tuple[list[int], bool, Tensor | None]


class LargeViews:
    """A pipeline whose views are each a single crop with colors.

    Args:
        load (LoadImage): The first step.
        views (Sequence[WeakView]): The views.
        single (bool): Whether a sample has one view, outside a list.
        pack (PackInputs): The last step.
    """

    def __init__(
        self, load: LoadImage, views: Sequence[WeakView], single: bool, pack: PackInputs
    ) -> None:
        self.load, self.views, self.single, self.pack = load, views, single, pack

    @classmethod
    def of(cls, pipeline: Compose) -> 'LargeViews | None':
        """This form of a pipeline.

        Args:
            pipeline (Compose): The pipeline.

        Returns:
            LargeViews | None: None if it has other steps, or views of several steps.
        """
        steps = list(pipeline.transforms)
        known = [LoadImage, TRANSFORMS.get('PackInputs')]
        if len(steps) != 3 or [type(steps[0]), type(steps[-1])] != known:
            return None
        single = type(steps[1]) is not TRANSFORMS.get('MultiView')
        views = [[steps[1]]] if single else [list(view.transforms) for view in steps[1].transforms]
        if any(
            len(view) != 1 or type(view[0]) not in (WeakView, ContrastiveView) for view in views
        ):
            return None
        return cls(steps[0], [view[0] for view in views], single, steps[-1])

    def seeded(self, infos: Iterable[dict], seeds: Sequence[int]) -> list[dict]:
        """Draw and make the views of samples that each have a seed.

        Args:
            infos (Iterable[dict]): The samples; the images are added.
            seeds (Sequence[int]): The seeds of torch's generator.

        Returns:
            list[dict]: The samples, as the pipeline packs them.
        """
        samples: list[dict] = []
        loaded: list[dict] = []
        pixels = 0
        for i, info in enumerate(infos, 1):
            loaded.append(self.load(info))
            height, width = loaded[-1]['ori_shape']
            pixels += height * width
            if i == len(seeds) or len(loaded) == _IMAGES or pixels >= _PIXELS:
                samples += self._made(loaded, Streams(seeds[i - len(loaded) : i]))
                loaded, pixels = [], 0
        return samples

    def _made(self, infos: Sequence[dict], streams: Streams) -> list[dict]:
        sizes = np.array([info['img'].size for info in infos])
        drawn = [self._numbers(draw_all(view, streams, sizes)) for view in self.views]
        return [self._sample(info, draws) for info, *draws in zip(infos, *drawn, strict=True)]

    @staticmethod
    def _numbers(rows: ViewRows) -> list[Draw]:
        number = len(rows.boxes)
        colors = [None] * number if rows.colors is None else rows.colors.unbind()
        return [*zip(rows.boxes.tolist(), rows.flips.tolist(), colors, strict=True)]

    def _sample(self, info: dict, draws: Sequence[Draw]) -> dict:
        decode_at_least(info['img'], self.views, [box for box, *_ in draws])
        made, colors = [], []
        for view, (box, flip, row) in zip(self.views, draws, strict=True):
            made.append(view.made(info['img'], box, flip, None if row is None else row.tolist()))
            colors.append(row if on_device(view) and row is not None else unchanged_colors())
        info['img'] = made[0] if self.single else made
        if any(map(on_device, self.views)):
            info['colors'] = colors[0] if self.single else colors
        return self.pack(info)
