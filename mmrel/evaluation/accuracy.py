"""Top-k accuracy that also works with few classes."""

from collections.abc import Sequence
from typing import Any

import mmpretrain.evaluation as mmpretrain_evaluation
import torch
from mmpretrain.evaluation.metrics.single_label import to_tensor

from mmrel.registry import METRICS


@METRICS.register_module()
class Accuracy(mmpretrain_evaluation.Accuracy):
    """mmpretrain's ``Accuracy`` for any number of classes.

    With no more than k classes each of them is among the top k: the accuracy
    is 100, where mmpretrain's raises an error. Otherwise as mmpretrain's: a
    class whose score is 0 is not predicted at any rank (in kNN, one without a
    vote).
    """

    @staticmethod
    def calculate(
        pred: Any,
        target: Any,
        topk: Sequence[int] = (1,),
        thrs: Sequence[float | None] = (0.0,),
    ) -> Any:
        """As mmpretrain's: in percent, a list over ``topk`` of a list over ``thrs``."""
        pred = to_tensor(pred)
        calculate = mmpretrain_evaluation.Accuracy.calculate
        if pred.ndim == 1:
            return calculate(pred, target, topk, thrs)
        return [
            calculate(pred, target, (k,), thrs)[0]
            if k < pred.shape[1]
            else [torch.tensor([100.0]) for _ in thrs]
            for k in topk
        ]
