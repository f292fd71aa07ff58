"""Multi-head attention on projections of any width."""

import torch.nn.functional as F
from torch import Tensor


def attend(qk: Tensor, v: Tensor, heads: int, scale: float) -> Tensor:
    """Softmax attention over the tokens.

    Args:
        qk (Tensor): Queries, then keys, each head by head: (B, N, 2A).
        v (Tensor): Values head by head: (B, N, A).
        heads (int): Divides A.
        scale (float): Factor of q k^T before the softmax.

    Returns:
        Tensor: Head by head, (B, N, A).
    """
    q, k = qk.unflatten(-1, (2, heads, -1)).permute(2, 0, 3, 1, 4)
    v = v.unflatten(-1, (heads, -1)).transpose(1, 2)
    out = F.scaled_dot_product_attention(q, k, v, scale=scale)
    return out.transpose(1, 2).flatten(2)
