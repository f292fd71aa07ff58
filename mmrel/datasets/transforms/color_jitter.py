"""mmpretrain's color jitter, fixed for NumPy 2."""

import mmcv
import numpy as np
import torchvision.transforms.functional as tvf
from mmpretrain.datasets.transforms import ColorJitter as _ColorJitter
from PIL import Image

from mmrel.registry import TRANSFORMS


def _adjust_hue(img: np.ndarray, shift: float, backend: str) -> np.ndarray:
    rgb = Image.fromarray(np.ascontiguousarray(img[..., ::-1]))
    return np.ascontiguousarray(np.asarray(tvf.adjust_hue(rgb, shift))[..., ::-1])


@TRANSFORMS.register_module()
class ColorJitter(_ColorJitter):
    """mmpretrain's ``ColorJitter`` (BGR arrays) with torchvision's hue shift.

    The hue shift of the original mmcv overflows on NumPy 2. With this transform,
    configs written for mmpretrain run with the original packages and the forks.

    It takes the arguments of mmpretrain's ``ColorJitter``.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``img``, (H, W, 3) uint8, with its jittered version."""
        order, brightness, contrast, saturation, hue = self._rand_params()
        steps = (
            (mmcv.adjust_brightness, brightness),
            (mmcv.adjust_contrast, contrast),
            (mmcv.adjust_color, saturation),
            (_adjust_hue, hue),
        )
        for i in order:
            adjust, value = steps[i]
            if value is not None:
                results['img'] = adjust(results['img'], value, backend=self.backend)
        return results
