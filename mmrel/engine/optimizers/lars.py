"""LARS as the self-supervised methods use it."""

from collections.abc import Callable, Iterable
from typing import Any

import mmpretrain.engine.optimizers as mmpretrain_optimizers
import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from mmrel.registry import OPTIMIZERS


@OPTIMIZERS.register_module()
class LARS(mmpretrain_optimizers.LARS):
    """mmpretrain's ``LARS`` with decay before the ratio, and no host sync.

    For each tensor: ``g += weight_decay * w``; where both norms are positive
    ``g *= eta * |w| / (|g| + eps)``; then SGD with momentum, the rate outside
    the momentum buffer. (mmpretrain's takes the ratio with ``|g| +
    weight_decay * |w|``, puts the rate into the buffer and reads two norms a
    tensor back to the host.)
    Source: LARS (arXiv:1708.03888) in the order of WCL's and SimCLR's
    programs.

    Args:
        params (Iterable): Parameters or groups. A group with
            ``lars_exclude=True`` is decayed, not adapted, as in mmpretrain.
        lr (float): The rate.
        exclude_bias_and_norm (bool): Neither decay nor adapt parameters of one
            dimension: biases and norms' weights. Defaults to False.
        eps (float): Defaults to 0.0.
        **kwargs: As mmpretrain's: ``momentum``, ``weight_decay``,
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
        if lr < 0 or eps < 0:
            raise ValueError(f'optimizer.lr={lr} and optimizer.eps={eps} must not be negative')
        super().__init__(params, lr, eps=eps, **kwargs)
        self.exclude_bias_and_norm = exclude_bias_and_norm

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """One step.

        Args:
            closure (Callable, optional): Computes the loss anew.

        Returns:
            Tensor, optional: What ``closure`` returned.
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
        """Decayed and rescaled gradients."""
        grads = [p.grad for p in parameters]
        if group['weight_decay']:
            grads = torch._foreach_add(grads, parameters, alpha=group['weight_decay'])
        if group.get('lars_exclude', False):
            return list(grads)
        weight_norm = torch.stack(torch._foreach_norm(parameters))
        grad_norm = torch.stack(torch._foreach_norm(grads))
        ratio = torch.where(
            (weight_norm > 0) & (grad_norm > 0),
            group['eta'] * weight_norm / (grad_norm + self.eps),
            1.0,
        )
        return list(torch._foreach_mul(grads, ratio.unbind()))

    def _descend(self, group: dict, parameters: list[nn.Parameter], grads: list[Tensor]) -> None:
        buffers = [self.state[p].get('momentum_buffer') for p in parameters]
        sgd(
            parameters,
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
