"""Move images to the device and leave samples on the CPU."""

from typing import Any

from mmengine.structures import BaseDataElement
from mmpretrain.models.utils import SelfSupDataPreprocessor

from mmrel.registry import MODELS


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
