"""Multi-head attention with projections of any width."""

import torch.nn.functional as F
from torch import Tensor


def attend(qk: Tensor, v: Tensor, heads: int, scale: float) -> Tensor:
    """Softmax attention over the tokens.

    Args:
        qk (Tensor): Concatenated queries and keys of all heads, (B, N, 2A).
        v (Tensor): Concatenated values of all heads, (B, N, A).
        heads (int): Number of heads, a divisor of A.
        scale (float): Scale of q k^T before the softmax.

    Returns:
        Tensor: Concatenated outputs of all heads, (B, N, A).
    """
    q, k = qk.unflatten(-1, (2, heads, -1)).permute(2, 0, 3, 1, 4)
    v = v.unflatten(-1, (heads, -1)).transpose(1, 2)
    out = F.scaled_dot_product_attention(q, k, v, scale=scale)
    return out.transpose(1, 2).flatten(2)
