"""Attention against loops over images, heads and tokens."""

import math

import torch
from torch import Tensor

from mmrel.models.layers import attend


def _slow(qk: Tensor, v: Tensor, heads: int, scale: float) -> Tensor:
    width = v.shape[-1]
    size, out = width // heads, torch.zeros_like(v)
    for b, (qk_b, v_b) in enumerate(zip(qk.tolist(), v.tolist(), strict=True)):
        for start in range(0, width, size):
            for i, row in enumerate(qk_b):
                own = range(start, start + size)
                scores = [sum(row[c] * other[width + c] for c in own) for other in qk_b]
                shares = [math.exp(scale * score) for score in scores]
                for c in own:
                    mean = sum(s * value[c] for s, value in zip(shares, v_b, strict=True))
                    out[b, i, c] = mean / sum(shares)
    return out


def test_each_head_attends_with_its_own_channels() -> None:
    qk = torch.randn(2, 5, 2 * 12, dtype=torch.float64)
    v = torch.randn(2, 5, 12, dtype=torch.float64)
    for heads, scale in ((1, 1.0), (3, 0.7), (12, 0.0)):
        torch.testing.assert_close(attend(qk, v, heads, scale), _slow(qk, v, heads, scale))


def test_tokens_in_another_order_give_outputs_in_that_order() -> None:
    qk, v, order = torch.randn(2, 5, 8).double(), torch.randn(2, 5, 4).double(), [3, 0, 4, 1, 2]
    torch.testing.assert_close(
        attend(qk[:, order], v[:, order], 2, 0.5), attend(qk, v, 2, 0.5)[:, order]
    )
