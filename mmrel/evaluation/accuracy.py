"""Top-k accuracy that also works with few classes."""

from collections.abc import Sequence
from typing import Any

import mmpretrain.evaluation as mmpretrain_evaluation
import torch.nn.functional as F
from mmpretrain.evaluation.metrics.single_label import to_tensor

from mmrel.registry import METRICS


@METRICS.register_module()
class Accuracy(mmpretrain_evaluation.Accuracy):
    """mmpretrain's ``Accuracy`` for any number of classes.

    With fewer classes than ``max(topk)`` every class is among the top k, where
    mmpretrain's raises an error. As in mmpretrain's, a class whose score is 0
    is not predicted at any rank: in kNN, one without a vote.
    """

    @staticmethod
    def calculate(pred: Any, target: Any, topk: Sequence[int] = (1,), *args: Any) -> Any:
        """As mmpretrain's, in percent."""
        pred = to_tensor(pred)
        if pred.ndim == 2 and pred.shape[1] < max(topk):
            pred = F.pad(pred.float(), (0, max(topk) - pred.shape[1]), value=0.0)
        return mmpretrain_evaluation.Accuracy.calculate(pred, target, topk, *args)
