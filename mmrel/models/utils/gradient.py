"""Gradients that pass in part."""

import torch
from torch import Tensor


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """The same values, whose gradient passes back by a factor.

    Args:
        x (Tensor): Of any shape.
        factor (float): 1 passes the gradient, 0 stops it.

    Returns:
        Tensor: Of the same shape; ``x`` itself, bit for bit, where the factor
        is 0 or 1, else up to rounding.
    """
    if factor == 1:
        return x
    return x.detach() if factor == 0 else torch.lerp(x.detach(), x, factor)
