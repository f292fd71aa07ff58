"""mmpretrain's array transforms in a pipeline of Pillow views."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmrel.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ArrayTransforms(BaseTransform):
    """Apply mmpretrain's array transforms (RandAugment, RandomErasing) to a Pillow image.

    They get the image as the BGR array that they expect, and their result is
    converted back to a Pillow RGB image. Colors in their settings are BGR.

    Args:
        transforms (Sequence[dict]): Their configs, in order.

    Raises:
        ValueError: If ``transforms`` is empty.
    """

    def __init__(self, transforms: Sequence[dict]) -> None:
        if not transforms:
            raise ValueError(
                'ArrayTransforms.transforms is empty: add a transform, or leave ArrayTransforms out'
            )
        self.transforms = [TRANSFORMS.build(transform) for transform in transforms]

    def transform(self, results: dict) -> dict:
        """Replace ``img`` with the result of the transforms."""
        results['img'] = np.ascontiguousarray(np.asarray(results['img'])[..., ::-1])
        for transform in self.transforms:
            results = transform(results)
        results['img'] = Image.fromarray(np.ascontiguousarray(results['img'][..., ::-1]))
        return results
