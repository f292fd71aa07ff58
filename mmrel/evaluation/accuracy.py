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

    With at most k classes, every class is in the top k, so the accuracy is 100;
    mmpretrain's metric raises an error there. Otherwise both agree: a class with
    score 0 (in kNN, a class without votes) does not count as predicted at any rank.
    """

    @staticmethod
    def calculate(
        pred: Any,
        target: Any,
        topk: Sequence[int] = (1,),
        thrs: Sequence[float | None] = (0.0,),
    ) -> Any:
        """Accuracies in percent, as nested lists over ``topk`` and ``thrs``, as in mmpretrain."""
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
