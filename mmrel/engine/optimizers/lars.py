"""LARS as the self-supervised methods use it."""

from collections.abc import Callable, Iterable
from typing import Any

import mmpretrain.engine.optimizers as mmpretrain_optimizers
import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from mmrel.registry import OPTIMIZERS
from mmrel.utils.checks import check_at_least


@OPTIMIZERS.register_module()
class LARS(mmpretrain_optimizers.LARS):
    """mmpretrain's ``LARS``, with weight decay before the trust ratio and no host sync.

    For each tensor: ``g += weight_decay * w``; if both norms are positive,
    ``g *= eta * |w| / (|g| + eps)``; then SGD with momentum, with the learning
    rate outside the momentum buffer. (mmpretrain computes the ratio with ``|g| +
    weight_decay * |w|``, includes the rate in the buffer and reads two norms per
    tensor back to the host.)
    Source: LARS (arXiv:1708.03888), with the operations in the order of WCL's and
    SimCLR's code.

    Args:
        params (Iterable): Parameters or groups. A group with
            ``lars_exclude=True`` is decayed but not adapted, as in mmpretrain.
        lr (float): Learning rate.
        exclude_bias_and_norm (bool): Whether to exclude 1-D parameters (biases
            and norm weights) from decay and adaptation. Defaults to False.
        eps (float): Added to the gradient norm. Defaults to 0.0.
        **kwargs: Same as in mmpretrain: ``momentum``, ``weight_decay``,
            ``dampening``, ``eta`` (the trust coefficient, 0.001), ``nesterov``.

    Raises:
        ValueError: If a value is negative.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float,
        exclude_bias_and_norm: bool = False,
        eps: float = 0.0,
        **kwargs: Any,
    ) -> None:
        check_at_least(0, 'optimizer', lr=lr, eps=eps)
        super().__init__(params, lr, eps=eps, **kwargs)
        self.exclude_bias_and_norm = exclude_bias_and_norm

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Perform one step.

        Args:
            closure (Callable, optional): Recomputes the loss.

        Returns:
            Tensor, optional: The value returned by ``closure``.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group['params'] if p.grad is not None]
            vectors = [p for p in parameters if self.exclude_bias_and_norm and p.ndim <= 1]
            if vectors:
                self._descend(group, vectors, [p.grad for p in vectors])
            rest = [p for p in parameters if not (self.exclude_bias_and_norm and p.ndim <= 1)]
            if rest:
                self._descend(group, rest, self._adapted(group, rest))
        return loss

    def _adapted(self, group: dict, parameters: list[nn.Parameter]) -> list[Tensor]:
        """The gradients with weight decay and the trust ratio applied."""
        weights: list[Tensor] = list(parameters)
        grads = [p.grad for p in parameters if p.grad is not None]
        if group['weight_decay']:
            grads = list(torch._foreach_add(grads, weights, alpha=group['weight_decay']))
        if group.get('lars_exclude', False):
            return grads
        weight_norm = torch.stack(torch._foreach_norm(weights))
        grad_norm = torch.stack(torch._foreach_norm(grads))
        ratio = torch.where(
            (weight_norm > 0) & (grad_norm > 0),
            group['eta'] * weight_norm / (grad_norm + self.eps),
            1.0,
        )
        return list(torch._foreach_mul(grads, list(ratio.unbind())))

    def _descend(self, group: dict, parameters: list[nn.Parameter], grads: list[Tensor]) -> None:
        buffers = [self.state[p].get('momentum_buffer') for p in parameters]
        sgd(
            list(parameters),
            grads,
            buffers,
            weight_decay=0.0,
            momentum=group['momentum'],
            lr=group['lr'],
            dampening=group['dampening'],
            nesterov=group['nesterov'],
            maximize=False,
        )
        if group['momentum']:
            for parameter, buffer in zip(parameters, buffers, strict=True):
                self.state[parameter]['momentum_buffer'] = buffer
