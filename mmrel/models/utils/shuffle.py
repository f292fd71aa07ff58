"""Shuffle a batch across ranks, reproducibly after a resume."""

import torch
from mmengine.logging import MessageHub
from mmpretrain.models.utils import batch_shuffle_ddp, batch_unshuffle_ddp
from torch import Tensor


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
