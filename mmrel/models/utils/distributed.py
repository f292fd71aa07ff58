"""Batches of all ranks: gathered with the gradient that a loss needs, and shuffled."""

from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, get_rank
from mmengine.logging import MessageHub
from mmpretrain.models.utils import batch_shuffle_ddp, batch_unshuffle_ddp
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


def shuffle_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    """Shuffle a batch across ranks, so that BN statistics do not leak information.

    The order depends only on the run's seed and the iteration, which is in the
    checkpoint. The state of the global generators does not change. Without a Runner
    the iteration is 0. Source: MoCo (arXiv:1911.05722), Sec. 3.3.

    Args:
        x (Tensor): This rank's part, (B, ...), B equal on all ranks.

    Returns:
        tuple[Tensor, Tensor]: This rank's part of the shuffled batch, (B, ...), and
        the order for :func:`unshuffle_batch`.
    """
    step = MessageHub.get_current_instance().get_info('iter', 0)
    generator = torch.default_generator
    state, seed = generator.get_state(), generator.initial_seed()
    # mmpretrain broadcasts rank 0's order to the other ranks.
    generator.manual_seed((seed + 0x9E3779B97F4A7C15 * (step + 1)) % 2**63)
    try:
        return batch_shuffle_ddp(x)
    finally:
        generator.set_state(state)


def unshuffle_batch(x: Tensor, order: Tensor) -> Tensor:
    """Undo :func:`shuffle_batch`.

    Args:
        x (Tensor): This rank's outputs for the shuffled batch, (B, ...).
        order (Tensor): The order from :func:`shuffle_batch`.

    Returns:
        Tensor: Shape (B, ...), in the original order.
    """
    return batch_unshuffle_ddp(x, order)
