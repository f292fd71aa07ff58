"""Gather embeddings of all ranks, with the gradient that a loss needs."""

from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, get_rank
from torch import Tensor

GRADIENTS = ('none', 'own', 'all')


class _GatherAll(torch.autograd.Function):
    """All-gather whose backward sums the gradients of all ranks for each part."""

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
    """The rows of all ranks in rank order; without a process group, the rows of ``x``.

    Args:
        x (Tensor): This rank's rows, (b, ...), b equal on all ranks.
        gradient (str): Which of the gathered rows carry gradient. 'none': no
            row. 'own': this rank's rows, from this rank's loss only. 'all':
            every row, and a row's rank gets the gradients of all ranks' losses.
            Averaged over ranks, as DDP does, these are the gradients of the mean
            loss over the global batch. Defaults to 'none'.

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
