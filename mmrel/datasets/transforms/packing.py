"""Several views of an image, and the batch's entries for colors that the device changes."""

import copy

from mmcv.transforms import Compose
from mmpretrain.datasets.transforms import MultiView as _MultiView
from mmpretrain.datasets.transforms import PackInputs as _PackInputs
from PIL import Image
from torch import Tensor

from mmrel.datasets.lazy_jpeg import LazyJpeg
from mmrel.registry import TRANSFORMS

from .draws import ColorDraw, color_row
from .views import WeakView, decode_at_least, makes_views_itself

_SAME = color_row(ColorDraw())


def unchanged_colors() -> Tensor:
    """The row (:func:`.color_row`) of a view whose colors stay as they are."""
    return _SAME.clone()


@TRANSFORMS.register_module()
class MultiView(_MultiView):
    """mmpretrain's ``MultiView``; the views share the image instead of copying it.

    Views that are a single :class:`.WeakView` or :class:`.ContrastiveView` are packed
    without a detour. If the device changes the colors of a view, ``colors`` is a list
    with one row (:func:`.color_row`) per view.

    It takes the arguments of mmpretrain's ``MultiView``.

    Raises:
        ValueError: If a step follows a view whose colors the device changes.
    """

    def __init__(self, transforms: list, num_views: int | list[int]) -> None:
        super().__init__(transforms, num_views)
        for i, pipeline in enumerate(self.pipelines):
            for step in pipeline.transforms[:-1]:
                if getattr(step, 'color', 'host') == 'device':
                    raise ValueError(
                        f"MultiView.transforms.{i}: {type(step).__name__} with color='device' "
                        "must be the view's last step; set view_color='host', or move the steps "
                        'that follow it'
                    )

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with a list of views.

        Args:
            results (dict): From the pipeline, with ``img``.

        Returns:
            dict: ``img``: the views; ``colors``, if the device changes some: their rows.
        """
        simple = [*filter(None, map(self._single, self.transforms))]
        whole = len(simple) == len(self.transforms)
        made = self._views(results['img'], simple) if whole else []
        if isinstance(results['img'], LazyJpeg) and not whole:
            # No view may shrink the image that the next one is drawn from.
            results['img'].load()
        for pipeline in self.transforms[len(made) :]:
            view = pipeline(self._own(results))
            made.append((view['img'], view.get('colors')))
        views, rows = zip(*made, strict=True)
        results['img'] = [*views]
        if any(row is not None for row in rows):
            results['colors'] = [unchanged_colors() if row is None else row for row in rows]
        return results

    @staticmethod
    def _single(pipeline: Compose) -> WeakView | None:
        """The only step of a pipeline, if it can be drawn ahead."""
        step = pipeline.transforms[0] if len(pipeline.transforms) == 1 else None
        return step if isinstance(step, WeakView) and makes_views_itself(type(step)) else None

    @staticmethod
    def _views(img: Image.Image, steps: list[WeakView]) -> list[tuple[Tensor, Tensor | None]]:
        """The views, all drawn before the first one is made, and the rows of their colors."""
        draws = [step.draw(img.size) for step in steps]
        decode_at_least(img, steps, [draw.crop.box for draw in draws])
        rows = [
            color_row(draw.color) if step.color == 'device' else None
            for step, draw in zip(steps, draws, strict=True)
        ]
        views = [step.tensor(img, draw) for step, draw in zip(steps, draws, strict=True)]
        return [*zip(views, rows, strict=True)]

    @staticmethod
    def _own(results: dict) -> dict:
        """What a view may change; Pillow images are not changed in place."""
        memo = {id(img): img for img in [results['img']] if isinstance(img, Image.Image)}
        return copy.deepcopy(results, memo)


@TRANSFORMS.register_module()
class PackInputs(_PackInputs):
    """mmpretrain's ``PackInputs``, which also packs ``colors``.

    It takes the arguments of mmpretrain's ``PackInputs``.
    """

    def transform(self, results: dict) -> dict:
        """Pack the views, the annotations and, if there are any, the rows of colors.

        Args:
            results (dict): From the pipeline.

        Returns:
            dict: ``inputs``, ``data_samples`` and ``colors``.
        """
        packed = super().transform(results)
        if 'colors' in results:
            packed['colors'] = results['colors']
        return packed
