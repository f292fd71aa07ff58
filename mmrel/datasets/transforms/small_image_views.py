"""Views of small images: padded crops, RandAugment, Cutout.

Like the other views, they take Pillow images and draw from torch's generator.
"""

from collections.abc import Sequence

import torch
import torchvision.transforms as tv
import torchvision.transforms.functional as tvf
from mmcv.transforms import BaseTransform

from mmrel.registry import TRANSFORMS
from mmrel.utils.checks import check_at_least

from .views import _check_probability, _happens


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

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with a view of it."""
        img = results['img']
        if img.size != (self.size, self.size):
            img = tvf.center_crop(tvf.resize(img, self.size), self.size)
        img = tvf.pad(img, self.padding, padding_mode='reflect')
        img = tvf.crop(img, *tv.RandomCrop.get_params(img, (self.size, self.size)))
        results['img'] = tvf.hflip(img) if _happens(self.flip_prob) else img
        return results


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
        check_at_least(1, '', num_ops=num_ops)
        if not 0 <= magnitude <= levels:
            raise ValueError(f'magnitude={magnitude} must be between 0 and levels={levels}')
        self.num_ops = num_ops
        lowest = 0 if random_magnitude else magnitude
        self.operations = [
            tv.RandAugment(1, m, levels + 1, fill=None if fill is None else list(fill))
            for m in range(lowest, magnitude + 1)
        ]

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with a view of it."""
        for _ in range(self.num_ops):
            draw = int(torch.randint(len(self.operations), ()))
            results['img'] = self.operations[draw](results['img'])
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

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with a view of it."""
        img = results['img'].copy()
        left, top = (torch.randint(side, ()).item() - self.size // 2 for side in img.size)
        # Pillow clips the part outside the image.
        img.paste(self.fill, (left, top, left + self.size, top + self.size))
        results['img'] = img
        return results
