"""Make the codes of paths as similar as their widths."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmrel.models.utils.precision import full_precision
from mmrel.registry import MODELS
from mmrel.utils.checks import check_at_least


@MODELS.register_module()
class WidthSimilarityLoss(BaseModule):
    """``||S - T||_F^2 / m^2`` for the codes of m paths.

    ``S_ij`` is the cosine similarity of codes i and j, and ``T_ij = 1 - |c_i -
    c_j|``, where c is a path's mean width relative to the full width. K-shot NAS
    (arXiv:2106.06442) has a parameter-free regularizer that separates the codes of
    different widths; this formula is ours.

    Args:
        loss_weight (float): Defaults to 1.0.

    Raises:
        ValueError: If ``loss_weight`` is negative.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_at_least(0, 'regularizer', loss_weight=loss_weight)
        self.loss_weight = loss_weight

    @full_precision
    def forward(self, codes: Tensor, widths: Tensor) -> Tensor:
        """The weighted loss.

        Args:
            codes (Tensor): Shape (m, K).
            widths (Tensor): Mean relative widths, (m,).

        Returns:
            Tensor: A scalar in at least float32.
        """
        unit = F.normalize(codes, dim=1)
        target = 1 - (widths[:, None] - widths).abs()
        return self.loss_weight * (unit @ unit.T - target).square().mean()
