"""Scale a gradient in the backward pass."""

import torch
from torch import Tensor


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """Keep the values of a tensor and scale its gradient by a factor.

    Args:
        x (Tensor): Any shape.
        factor (float): 1 passes the gradient, 0 stops it.

    Returns:
        Tensor: Same shape. The values equal ``x`` exactly if the factor is 0 or 1,
        otherwise up to rounding.
    """
    if factor == 1:
        return x
    return x.detach() if factor == 0 else torch.lerp(x.detach(), x, factor)
