"""Embeddings of all ranks, with the gradient that a loss asks for."""

from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, get_rank
from torch import Tensor

GRADIENTS = ('none', 'own', 'all')


class _GatherAll(torch.autograd.Function):
    """Gather whose backward sums the gradients that all ranks have for a part."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.rows = len(x)
        return torch.cat(all_gather(x.contiguous()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.contiguous().clone()
        all_reduce(grad)
        start = get_rank() * ctx.rows
        return grad[start : start + ctx.rows]


def gather(x: Tensor, gradient: str = 'none') -> Tensor:
    """The rows of all ranks, by rank; without a process group ``x`` itself.

    Args:
        x (Tensor): This rank's rows, (b, ...), b equal on all ranks.
        gradient (str): Which of the gathered rows carry gradient. 'none': no
            row. 'own': this rank's rows, in this rank's loss alone. 'all':
            every row, and the gradients of all ranks' losses reach the rank
            that a row is from; averaged over ranks (as DDP does it) they are
            those of the mean loss over the global batch. Defaults to 'none'.

    Returns:
        Tensor: (b * ranks, ...).

    Raises:
        ValueError: If ``gradient`` is not one of the three.
    """
    if gradient not in GRADIENTS:
        raise ValueError(f'gradient={gradient!r} must be one of {GRADIENTS}')
    if gradient == 'all':
        return _GatherAll.apply(x)
    parts = list(all_gather(x.detach().contiguous()))
    if gradient == 'own':
        parts[get_rank()] = x
    return torch.cat(parts)
