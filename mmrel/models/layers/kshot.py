"""K weights for a layer, and their mixture. Source: K-shot NAS (arXiv:2106.06442)."""

import copy

import torch
from torch import Tensor, nn

from mmrel.utils.checks import check_count

# Buffers of batch norms and their initial values.
RUNNING_STATISTICS = dict(running_mean=0, running_var=1, num_batches_tracked=0)


def mix(theta: Tensor, code: Tensor) -> Tensor:
    """``sum_k code_k * theta_k``, in the precision of ``theta`` even under autocast.

    Args:
        theta (Tensor): K weights, (K, ...).
        code (Tensor): A code, (K,), or those of P paths, (P, K).

    Returns:
        Tensor: Shape (...), or (P, ...). With K = 1, ``theta_1`` itself.
    """
    if len(theta) == 1:
        return theta[0].expand(*code.shape[:-1], *theta.shape[1:])
    device = theta.device.type
    if torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return mix(theta, code)
    # As (1, K) x (K, N), so that theta's gradient is written once, in theta's layout.
    flat = code.to(theta.dtype).reshape(-1, len(theta)) @ theta.reshape(len(theta), -1)
    return flat.view(*code.shape[:-1], *theta.shape[1:])


class StackedLayer(nn.Module):
    """K copies of a layer's parameters, (K, ...) each, and one of its running statistics.

    It is never called: a supernet mixes the parameters and runs the ordinary layer
    with the result. Children of the layer are not included.

    Args:
        k (int): K.
        layer (nn.Module): The layer, on any device. Its ``reset_parameters``
            initializes the K copies, one after the other.

    Raises:
        ValueError: If ``k`` is below 1.
        TypeError: If the layer has no ``reset_parameters``, or buffers that are not
            running statistics.
    """

    def __init__(self, k: int, layer: nn.Module) -> None:
        super().__init__()
        check_count(1, '', k=k)
        kind, reset = type(layer).__name__, 'reset_parameters'
        if not hasattr(layer, reset):
            raise TypeError(
                f'{kind} has parameters or buffers of its own but no {reset}(), which a K-shot '
                'supernet needs to initialize K copies: add it'
            )
        others = [name for name in layer._buffers if name not in RUNNING_STATISTICS]
        if others:
            raise TypeError(
                f'{kind} has the buffers {others}: the only buffers that a K-shot supernet can '
                f'hold are {list(RUNNING_STATISTICS)}'
            )
        layer = copy.deepcopy(layer).to_empty(device='cpu')
        copies = []
        for _ in range(k):
            getattr(layer, reset)()
            own = layer.named_parameters(recurse=False)
            copies.append({name: parameter.detach().clone() for name, parameter in own})
        for name in copies[0]:
            stack = torch.stack([values[name] for values in copies])
            self.register_parameter(name, nn.Parameter(stack))
        for name, buffer in layer.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
