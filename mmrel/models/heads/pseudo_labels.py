"""Mutual calibration of SimMatch's semantic and instance pseudo-labels."""

import torch
from torch import Tensor

from mmrel.models.utils.precision import full_precision


@full_precision
def unfold(instance: Tensor, semantic: Tensor, labels: Tensor) -> Tensor:
    """Calibrate an instance pseudo-label with a semantic one.

    ``q'_i = q_i p_{y_i} / sum_j q_j p_{y_j}``, y_i the class of slot i.
    Source: SimMatch (arXiv:2203.06915), unfolding.

    Args:
        instance (Tensor): q, distributions over the N slots, (B, N).
        semantic (Tensor): p, distributions over the C classes, (B, C).
        labels (Tensor): y, the slots' classes, (N,) int64.

    Returns:
        Tensor: q', (B, N), in at least float32. A row whose products are all 0
        stays 0.
    """
    product = instance * semantic[:, labels]
    total = product.sum(1, keepdim=True)
    return product / total.clamp(min=torch.finfo(total.dtype).tiny)


@full_precision
def aggregate(instance: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """The class distribution of an instance pseudo-label.

    ``a_c = sum_{i: y_i = c} q_i``. Source: SimMatch (arXiv:2203.06915), aggregation.

    Args:
        instance (Tensor): q, distributions over the N slots, (B, N).
        labels (Tensor): y, the slots' classes, (N,) int64.
        num_classes (int): C.

    Returns:
        Tensor: a, (B, C), in at least float32. Rows sum to 1; a class without
        slots gets 0.
    """
    empty = instance.new_zeros(len(instance), num_classes)
    return empty.index_add_(1, labels, instance)
