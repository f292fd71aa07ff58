"""Softmax denominators over a global batch, without storing its similarities."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def _logits(rows: Tensor, columns: Tensor, temperature: float, own: int | None) -> Tensor:
    logits = (rows @ columns.T).div_(temperature)
    if own is not None:
        logits.diagonal(own).fill_(-torch.inf)
    return logits


class _LogSumExp(torch.autograd.Function):
    """Compute one block of logits at a time, and recompute it in the backward."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, columns: Tensor, temperature: float, own: int | None, block: int
    ) -> Tensor:
        result = rows.new_empty(len(rows))
        lowest = torch.finfo(rows.dtype).min  # a row whose only column is itself: -inf, not nan
        for start in range(0, len(rows), block):
            part = slice(start, start + block)
            offset = None if own is None else own + start
            logits = _logits(rows[part], columns, temperature, offset)
            highest = logits.amax(1, keepdim=True).clamp_(min=lowest)
            result[part] = logits.sub_(highest).exp_().sum(1).log_().add_(highest[:, 0])
        ctx.save_for_backward(rows, columns, result.clamp(min=lowest))
        ctx.settings = temperature, own, block
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        rows, columns, result = ctx.saved_tensors
        temperature, own, block = ctx.settings
        needs_rows, needs_columns = ctx.needs_input_grad[:2]
        grad_rows = torch.empty_like(rows) if needs_rows else None
        grad_columns = torch.zeros_like(columns) if needs_columns else None
        with torch.autocast(rows.device.type, enabled=False):
            for start in range(0, len(rows), block):
                part = slice(start, start + block)
                offset = None if own is None else own + start
                weight = _logits(rows[part], columns, temperature, offset)
                weight.sub_(result[part, None]).exp_().mul_(grad[part, None] / temperature)
                if grad_rows is not None:
                    torch.mm(weight, columns, out=grad_rows[part])
                if grad_columns is not None:
                    grad_columns.addmm_(weight.T, rows[part])
        return grad_rows, grad_columns, None, None, None


def logsumexp_similarity(
    rows: Tensor,
    columns: Tensor,
    temperature: float,
    own: int | None = None,
    block: int = 1024,
) -> Tensor:
    """``log(sum_j exp(row . column_j / t))`` of each row, in blocks of rows.

    Autograd would store the logits for the backward. This function recomputes them
    instead, so at most one block exists at a time, in the backward too.

    Args:
        rows (Tensor): (b, D), at least float32.
        columns (Tensor): (B, D), same dtype.
        temperature (float): t.
        own (int, optional): Row i excludes column ``own + i`` (itself).
            Defaults to None: no column is excluded.
        block (int): Number of rows per block. Defaults to 1024.

    Returns:
        Tensor: (b,); -inf for a row without columns.
    """
    return _LogSumExp.apply(rows, columns, temperature, own, block)
