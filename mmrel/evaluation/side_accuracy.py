"""Accuracy of a path that runs on several sides."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mmrel.registry import METRICS

from .accuracy import Accuracy


@METRICS.register_module()
class SideAccuracy(BaseMetric):
    """Top-k accuracy of each side of a supernet's path, averaged over the sides.

    Args:
        topk (int | Sequence[int]): The values of k. Defaults to (1, 5).
        collect_device (str): As for mmengine's ``BaseMetric``. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to None: 'accuracy'.
    """

    default_prefix = 'accuracy'

    def __init__(
        self,
        topk: int | Sequence[int] = (1, 5),
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store the scores (S, C) and the label of each sample."""
        for sample in data_samples:
            self.results.append((sample['side_scores'].cpu(), sample['gt_label'].cpu()))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """``top1`` and so on, in percent."""
        scores = torch.stack([scores for scores, _ in results], dim=1)
        labels = torch.cat([label for _, label in results])
        # Every side has all samples, so the mean over all rows is the mean over the sides.
        values = Accuracy.calculate(scores.flatten(0, 1), labels.repeat(len(scores)), self.topk)
        return {f'top{k}': value[0].item() for k, value in zip(self.topk, values, strict=True)}
