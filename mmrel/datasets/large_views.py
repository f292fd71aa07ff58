"""Make the random choices of large views for a whole batch, and the views one by one.

Making large views one by one costs little, but drawing them does: torch needs a call for each
random number. The samples are those that the pipeline makes one by one.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from mmcv.transforms import Compose
from PIL import Image
from torch import Tensor

from .batched_steps import ViewRows, draw_all
from .batched_views import ViewPipeline
from .transforms import ContrastiveView, WeakView
from .transforms.batched_draws import Streams
from .transforms.views import decode_at_least

# Images that are decoded before their views are made: few enough for any memory.
_IMAGES = 16
_PIXELS = 2**24

# Box, flip, and the row of the colors if they change.
Draw = tuple[list[int], bool, list[float] | None]


class LargeViews(ViewPipeline):
    """The pipeline of views that are each a single crop with colors."""

    @classmethod
    def of(cls, pipeline: Compose) -> 'LargeViews | None':
        """This form of a pipeline.

        Args:
            pipeline (Compose): The pipeline.

        Returns:
            LargeViews | None: None if it has other steps, or views of several steps.
        """
        parts = cls.parts_of(pipeline)
        kinds = (WeakView, ContrastiveView)
        if parts is None or any(len(v) != 1 or type(v[0]) not in kinds for v in parts[1]):
            return None
        return cls(*parts)

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
        drawn = [[draw_all(step, streams, sizes)] for (step,) in self.views]
        draws = zip(*(self._numbers(rows) for (rows,) in drawn), strict=True)
        views = [self._views(info['img'], own) for info, own in zip(infos, draws, strict=True)]
        return self.packed(infos, views, drawn)

    @staticmethod
    def _numbers(rows: ViewRows) -> Iterable[Draw]:
        colors = repeat(None, len(rows.boxes)) if rows.colors is None else rows.colors.tolist()
        return zip(rows.boxes.tolist(), rows.flips.tolist(), colors, strict=True)

    def _views(self, img: Image.Image, draws: Sequence[Draw]) -> list[Tensor]:
        steps = [step for (step,) in self.views]
        decode_at_least(img, steps, [box for box, *_ in draws])
        return [step.made(img, *draw) for step, draw in zip(steps, draws, strict=True)]
