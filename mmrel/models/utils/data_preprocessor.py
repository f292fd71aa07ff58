"""Move images to the device, change their colors there, and leave samples on the CPU."""

from typing import Any

import mmpretrain.models.utils as mmpretrain_utils
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmrel.datasets.transforms.batched_color import apply_colors
from mmrel.registry import MODELS
from mmrel.utils.mixin import Mixin


class DeviceColors(Mixin):
    """Mixin for data preprocessors: change the colors of views on the device.

    A batch with ``colors`` has rows of draws (:func:`.color_row`) for ``inputs``: one
    tensor for one view per image, a list for several. Batches without it are not
    changed.
    """

    def forward(self, data: Any, training: bool = False) -> Any:
        """Change the colors, then normalize and so on.

        Args:
            data (dict): A batch.
            training (bool): Whether it is for training. Defaults to False.

        Returns:
            dict: What the preprocessor returns without ``colors``.
        """
        if isinstance(data, dict) and 'colors' in data:
            data = dict(data)
            rows, inputs = data.pop('colors'), self.cast_data(data['inputs'])
            data['inputs'] = (
                apply_colors(inputs, rows)
                if isinstance(inputs, Tensor)
                else [apply_colors(view, row) for view, row in zip(inputs, rows, strict=True)]
            )
        return super().forward(data, training)


@MODELS.register_module()
class ClsDataPreprocessor(DeviceColors, mmpretrain_utils.ClsDataPreprocessor):
    """mmpretrain's ``ClsDataPreprocessor``, which can change the colors of views."""


@MODELS.register_module()
class SelfSupDataPreprocessor(DeviceColors, mmpretrain_utils.SelfSupDataPreprocessor):
    """mmpretrain's ``SelfSupDataPreprocessor``, which can change the colors of views."""


@MODELS.register_module()
class SemiSupervisedDataPreprocessor(SelfSupDataPreprocessor):
    """mmpretrain's ``SelfSupDataPreprocessor``, but samples stay on the CPU.

    Moving samples would copy the label of every image separately. The algorithm
    moves all labels as one tensor instead.
    """

    def cast_data(self, data: Any) -> Any:
        """Move tensors, but not samples, to the device.

        Args:
            data (Any): Nested lists, dicts, tensors and samples.

        Returns:
            Any: The same structure with tensors on the device.
        """
        return data if isinstance(data, BaseDataElement) else super().cast_data(data)
