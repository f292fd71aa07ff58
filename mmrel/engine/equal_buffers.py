"""Make buffers equal on all ranks."""

from mmengine.dist import all_reduce_params, broadcast, get_world_size
from torch import Tensor, nn

_STATISTICS = ('running_mean', 'running_var')


def split_buffers(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Split the buffers that a checkpoint contains into BN statistics and others.

    Args:
        model (nn.Module): The model.

    Returns:
        tuple[list[Tensor], list[Tensor]]: Running statistics of norm layers, which
        each rank computes from its own batches, and all other buffers.
    """
    statistics: list[Tensor] = []
    others: list[Tensor] = []
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if name in module._non_persistent_buffers_set:
                continue
            is_statistic = name in _STATISTICS and buffer.is_floating_point()
            (statistics if is_statistic else others).append(buffer)
    return statistics, others


def make_buffers_equal(model: nn.Module) -> None:
    """Give all ranks the same buffers, in place; every rank must call it.

    Running statistics are averaged over the ranks (like timm's
    ``distribute_bn='reduce'``). All other buffers, such as memory banks, their
    pointers and BN's batch counter, are equal by design: they are copied from
    rank 0, which writes the checkpoint.

    Args:
        model (nn.Module): The model.
    """
    if get_world_size() == 1:
        return
    statistics, others = split_buffers(model)
    if statistics:
        all_reduce_params(statistics, op='mean')
    for buffer in others:
        broadcast(buffer)
