"""Label-smoothed cross entropy that does not synchronize with the device."""

from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_within


@MODELS.register_module()
class SmoothCrossEntropy(BaseModule):
    """A loss for mmpretrain's heads: torch's cross entropy with smoothed labels.

    It equals mmpretrain's ``LabelSmoothLoss`` in 'original' mode, but does not read
    the labels on the host in every step to check them.

    Args:
        label_smoothing (float): The probability spread evenly over all classes,
            in [0, 1). Defaults to 0.1.
        loss_weight (float): Defaults to 1.0.

    Raises:
        ValueError: If ``label_smoothing`` is out of range.
    """

    def __init__(self, label_smoothing: float = 0.1, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_within('[0, 1)', 'loss', label_smoothing=label_smoothing)
        self.label_smoothing, self.loss_weight = label_smoothing, loss_weight

    @full_precision
    def forward(
        self, cls_score: Tensor, label: Tensor, avg_factor: int | None = None, **kwargs: Any
    ) -> Tensor:
        """The loss.

        Args:
            cls_score (Tensor): Logits, (B, C).
            label (Tensor): Classes (B,) int64, or their probabilities (B, C).
            avg_factor (int, optional): Divisor of the summed loss. Defaults to
                None: B.
            **kwargs: Other arguments that mmpretrain's heads pass. Not used.

        Returns:
            Tensor: A scalar in at least float32.
        """
        total = F.cross_entropy(
            cls_score, label, reduction='sum', label_smoothing=self.label_smoothing
        )
        return self.loss_weight * total / (avg_factor or len(cls_score))
