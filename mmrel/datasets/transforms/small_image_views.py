"""Views of small images: padded crops, RandAugment, Cutout.

Like the other views, they take Pillow images, and draw from torch's generator before
they change the image.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torchvision.transforms as tv
import torchvision.transforms.functional as tvf
from mmcv.transforms import BaseTransform
from PIL import Image
from torchvision.transforms.autoaugment import _apply_op

from mmrel.registry import TRANSFORMS
from mmrel.utils.checks import check_count

from .draws import CropDraw, OperationDraw, ViewDraw, happens
from .views import _check_probability


@TRANSFORMS.register_module()
class PaddedCropView(BaseTransform):
    """FixMatch's weak view: a shift by a few pixels and a horizontal flip.

    The image is padded by reflection and cropped. If its size differs from the
    view's, its short side is first resized and its center cropped.
    Source: FixMatch (arXiv:2001.07685).

    Args:
        size (int): Side of the view in pixels.
        padding (int): Largest shift in pixels. Defaults to 4.
        flip_prob (float): Probability of the flip. Defaults to 0.5.

    Raises:
        ValueError: If a value is out of range.
    """

    def __init__(self, size: int, padding: int = 4, flip_prob: float = 0.5) -> None:
        if size < 1:
            raise ValueError(f'size={size} must be a positive number of pixels')
        if not 0 <= padding < size:
            raise ValueError(f'padding={padding} must be at least 0 and less than size={size}')
        self.size = size
        self.padding = padding
        self.flip_prob = _check_probability('flip_prob', flip_prob)

    def draw(self, size: tuple[int, int]) -> ViewDraw:
        """Draw a view.

        Args:
            size (tuple[int, int]): Width and height of the image; they do not matter.

        Returns:
            ViewDraw: Its crop is a box in the padded image.
        """
        padded = torch.empty((1, *[self.size + 2 * self.padding] * 2), device='meta')
        crop = CropDraw(*tv.RandomCrop.get_params(padded, (self.size, self.size)))
        return ViewDraw(crop, happens(self.flip_prob))

    def apply(self, img: Image.Image, draw: ViewDraw) -> Image.Image:
        """Make a drawn view of an image.

        Args:
            img (Image.Image): The image.
            draw (ViewDraw): From :meth:`draw`.

        Returns:
            Image.Image: The view.
        """
        if img.size != (self.size, self.size):
            img = tvf.center_crop(tvf.resize(img, self.size), self.size)
        rows, columns = (self._reflected(start) for start in (draw.crop.top, draw.crop.left))
        columns = columns[::-1] if draw.flip else columns
        return Image.fromarray(np.asarray(img)[rows[:, None], columns])

    def _reflected(self, start: int) -> np.ndarray:
        """The image's rows that a crop of the padded image shows."""
        places, last = abs(np.arange(self.size) + start - self.padding), self.size - 1
        return last - abs(last - places)

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with a view of it."""
        results['img'] = self.apply(results['img'], self.draw(results['img'].size))
        return results


@lru_cache
def _operations(
    magnitude: int, levels: int, size: tuple[int, int]
) -> list[tuple[str, float, bool]]:
    """torchvision's operations: name, strength, and whether its sign is random."""
    space = tv.RandAugment()._augmentation_space(levels + 1, size[::-1])
    return [
        (name, float(values[magnitude]) if values.ndim else 0.0, signed)
        for name, (values, signed) in space.items()
    ]


@TRANSFORMS.register_module()
class RandAugmentView(BaseTransform):
    """RandAugment: apply random operations (torchvision's) to a view.

    Use it after a crop. Source: RandAugment (arXiv:1909.13719); with
    ``random_magnitude`` as in FixMatch (arXiv:2001.07685).

    Args:
        num_ops (int): Number of successive operations, n. Defaults to 2.
        magnitude (int): Their magnitude, m. Defaults to 10.
        levels (int): The largest possible magnitude (30 in torchvision, 10 in
            FixMatch). Defaults to 30.
        random_magnitude (bool): Draw each operation's magnitude from 0 to
            ``magnitude``. Defaults to False.
        fill (Sequence[int], optional): Color of the pixels that an operation
            leaves empty. Defaults to None: black.

    Raises:
        ValueError: If a value is out of range.
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 10,
        levels: int = 30,
        random_magnitude: bool = False,
        fill: Sequence[int] | None = None,
    ) -> None:
        check_count(1, '', num_ops=num_ops)
        if not 0 <= magnitude <= levels:
            raise ValueError(f'magnitude={magnitude} must be between 0 and levels={levels}')
        self.num_ops = num_ops
        self.levels = levels
        self.magnitudes = range(0 if random_magnitude else magnitude, magnitude + 1)
        self.fill = None if fill is None else list(fill)

    def draw(self, size: tuple[int, int]) -> list[OperationDraw]:
        """Draw the operations.

        Args:
            size (tuple[int, int]): Width and height of the image; translations are
                fractions of it.

        Returns:
            list[OperationDraw]: The operations, in their order.
        """
        draws = []
        for _ in range(self.num_ops):
            magnitude = self.magnitudes[int(torch.randint(len(self.magnitudes), ()))]
            operations = _operations(magnitude, self.levels, size)
            name, strength, signed = operations[int(torch.randint(len(operations), (1,)))]
            if signed and torch.randint(2, (1,)):
                strength = -strength
            draws.append(OperationDraw(name, strength))
        return draws

    def apply(self, img: Image.Image, draws: Sequence[OperationDraw]) -> Image.Image:
        """Apply drawn operations to an image.

        Args:
            img (Image.Image): The image.
            draws (Sequence[OperationDraw]): From :meth:`draw`.

        Returns:
            Image.Image: The changed image.
        """
        for draw in draws:
            img = _apply_op(img, draw.name, draw.strength, tv.InterpolationMode.NEAREST, self.fill)
        return img

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with a view of it."""
        results['img'] = self.apply(results['img'], self.draw(results['img'].size))
        return results


@TRANSFORMS.register_module()
class CutoutView(BaseTransform):
    """Cover a square whose center is anywhere in the image.

    Near the border, part of the square is outside the image.
    Source: Cutout (arXiv:1708.04552).

    Args:
        size (int): Side of the square in pixels. Defaults to 16.
        fill (Sequence[int]): Its color. Defaults to (127, 127, 127).

    Raises:
        ValueError: If ``size`` is below 1.
    """

    def __init__(self, size: int = 16, fill: Sequence[int] = (127, 127, 127)) -> None:
        if size < 1:
            raise ValueError(f'CutoutView.size={size} must be a positive number of pixels')
        self.size = size
        self.fill = tuple(fill)

    def draw(self, size: tuple[int, int]) -> tuple[int, int]:
        """Draw the square.

        Args:
            size (tuple[int, int]): Width and height of the image.

        Returns:
            tuple[int, int]: Its left column and its top row; they may be negative.
        """
        left, top = (int(torch.randint(side, ())) - self.size // 2 for side in size)
        return left, top

    def apply(self, img: Image.Image, corner: tuple[int, int]) -> Image.Image:
        """Cover a drawn square.

        Args:
            img (Image.Image): The image, which stays as it is.
            corner (tuple[int, int]): From :meth:`draw`.

        Returns:
            Image.Image: The changed copy.
        """
        img, (left, top) = img.copy(), corner
        # Pillow clips the part outside the image.
        img.paste(self.fill, (left, top, left + self.size, top + self.size))
        return img

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with a view of it."""
        results['img'] = self.apply(results['img'], self.draw(results['img'].size))
        return results
