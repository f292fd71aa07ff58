"""Shuffling a batch across ranks, the same way in a run and in its resumption."""

import torch
from mmengine.logging import MessageHub
from mmpretrain.models.utils import batch_shuffle_ddp, batch_unshuffle_ddp
from torch import Tensor


def shuffle_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    """Shuffle a batch across ranks, so that BN statistics tell nothing of the rank.

    The order follows from the run's seed and its iteration, which is in the
    checkpoint: global random state is neither read nor moved. Without a Runner
    the iteration is 0. Source: MoCo (arXiv:1911.05722), Sec. 3.3.

    Args:
        x (Tensor): This rank's part, (B, ...), B equal on all ranks.

    Returns:
        tuple[Tensor, Tensor]: Its part of the shuffled batch, (B, ...), and what
        :func:`unshuffle_batch` needs.
    """
    step = MessageHub.get_current_instance().get_info('iter', 0)
    generator = torch.default_generator
    state, seed = generator.get_state(), generator.initial_seed()
    # Rank 0's order is the one that counts: mmpretrain sends it to the others.
    generator.manual_seed((seed + 0x9E3779B97F4A7C15 * (step + 1)) % 2**63)
    try:
        return batch_shuffle_ddp(x)
    finally:
        generator.set_state(state)


def unshuffle_batch(x: Tensor, order: Tensor) -> Tensor:
    """Undo :func:`shuffle_batch`.

    Args:
        x (Tensor): This rank's part of what came out, (B, ...).
        order (Tensor): From :func:`shuffle_batch`.

    Returns:
        Tensor: Shape (B, ...), in the order of the images.
    """
    return batch_unshuffle_ddp(x, order)
