"""Images to the device; their samples stay where they are."""

from typing import Any

from mmengine.structures import BaseDataElement
from mmpretrain.models.utils import SelfSupDataPreprocessor

from mmrel.registry import MODELS


@MODELS.register_module()
class SemiSupervisedDataPreprocessor(SelfSupDataPreprocessor):
    """mmpretrain's ``SelfSupDataPreprocessor``, but samples stay on the CPU.

    A step of hundreds of unlabeled images would move the label of each on its
    own: the algorithm moves them in one tensor.
    """

    def cast_data(self, data: Any) -> Any:
        """Move tensors to the device, samples not.

        Args:
            data (Any): Nested lists, dicts, tensors and samples.

        Returns:
            Any: The same, its tensors on the device.
        """
        return data if isinstance(data, BaseDataElement) else super().cast_data(data)
