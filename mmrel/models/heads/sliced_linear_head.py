"""A linear classifier with inputs sliced like the supernet's last layer."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmrel.models.supernets.sides import cut
from mmrel.models.utils.precision import at_least_float32
from mmrel.registry import MODELS


@MODELS.register_module()
class SlicedLinearClsHead(LinearClsHead):
    """mmpretrain's ``LinearClsHead`` for the two sides of a supernet.

    The outputs are not sliced. The training loss is computed on the sum of the
    sides' logits. Source: ViTAS (arXiv:2106.13700).

    Args: As mmpretrain's ``LinearClsHead``.
    """

    def side_logits(self, feats: Mapping[str, Tensor]) -> Tensor:
        """Logits of each side.

        Args:
            feats (Mapping[str, Tensor]): Features (B, w) by side.

        Returns:
            Tensor: (S, B, C), in the order of ``feats``; at least float32.
        """
        logits = [
            F.linear(x, cut(self.fc.weight, (None, x.shape[-1]), side), self.fc.bias)
            for side, x in feats.items()
        ]
        return at_least_float32(torch.stack(logits))

    def forward(self, feats: Mapping[str, Tensor]) -> Tensor:
        """The sum of the sides' logits, (B, C)."""
        return self.side_logits(feats).sum(dim=0)

    def predict(
        self, feats: Mapping[str, Tensor], data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Predictions of each side and of the sum of all sides.

        Args:
            feats (Mapping[str, Tensor]): Features (B, w) by side.
            data_samples (list[DataSample], optional): Samples to fill in.

        Returns:
            list[DataSample]: Samples with ``side_scores``, (S, C), for
            ``SideAccuracy``, and mmpretrain's ``pred_score`` and ``pred_label``
            from the summed logits.
        """
        logits = self.side_logits(feats)
        samples = self._get_predictions(logits.sum(dim=0), data_samples)
        for sample, scores in zip(samples, logits.softmax(dim=-1).unbind(1), strict=True):
            sample.set_field(scores, 'side_scores')
        return samples
