"""BN statistics of a path, for supernets that do not compute them themselves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmrel.spaces import ArchPath

# As many as the K-shot paper uses.
DEFAULT_BATCHES = 20


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch norms of a model that have running statistics."""
    return [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    ]


def batches_needed(model: nn.Module) -> int:
    """Number of calibration batches for each path: the model's, or the default.

    The default applies to models with batch norms, but without ``prepare_path``.
    """
    default = 0 if hasattr(model, 'prepare_path') or not batch_norms(model) else DEFAULT_BATCHES
    return int(getattr(model, 'calibration_batches', default))


@contextmanager
def prepared(model: Any, path: ArchPath, batches: Sequence[Tensor] | None) -> Iterator[None]:
    """Give a path its own BN statistics; see :class:`mmrel.spaces.SearchableModel`.

    Args:
        model (nn.Module): The supernet, in evaluation mode.
        path (ArchPath): The path.
        batches (Sequence[Tensor], optional): Normalized training images, (B, 3, H, W) each.
            None: use the model's running statistics.

    Yields:
        None: The model's own running statistics return after the block.
    """
    if hasattr(model, 'prepare_path'):
        model.prepare_path(path, batches)
        yield
        return
    norms = batch_norms(model) if batches else []
    before = [{k: v.clone() for k, v in norm.named_buffers()} for norm in norms]
    momenta = [norm.momentum for norm in norms]
    try:
        with torch.no_grad():
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # the average over the batches
                norm.train()
            for batch in batches or ():
                model.path_logits(batch, path)
            for norm in norms:
                norm.eval()
        yield
    finally:
        with torch.no_grad():
            for norm, buffers, momentum in zip(norms, before, momenta, strict=True):
                norm.momentum = momentum
                norm.eval()
                for name, value in buffers.items():
                    norm.get_buffer(name).copy_(value)
