"""Nearest-neighbor graphs and their connected components, on the device."""

import torch
from mmengine.dist import all_gather, get_rank
from torch import Tensor

from mmrel.models.utils.precision import full_precision


@torch.no_grad()
@full_precision
def nearest_neighbor(rows: Tensor, columns: Tensor, offset: int = 0, block: int = 1024) -> Tensor:
    """Each row's nearest other column, without the full similarity matrix.

    Args:
        rows (Tensor): Vectors, (b, D). They are also the columns ``offset`` to
            ``offset + b - 1``.
        columns (Tensor): Vectors, (B, D).
        offset (int): Index of the first row among the columns. Defaults to 0.
        block (int): Number of rows processed at a time. Defaults to 1024.

    Returns:
        Tensor: Index of the column with the largest inner product, excluding the
        row itself, (b,) int64. With a single column a row is its own neighbor.
    """
    found = []
    for start in range(0, len(rows), block):
        similarity = rows[start : start + block] @ columns.T
        similarity.diagonal(offset + start).fill_(-torch.inf)
        found.append(similarity.argmax(1))
    return torch.cat(found)


@torch.no_grad()
def connected_components(neighbor: Tensor) -> Tensor:
    """Connected components of the graph that links each node to one other.

    The algorithm is pointer doubling. Following the neighbors from any node leads
    to a cycle, and each component has exactly one cycle (two mutual nearest
    neighbors; with ties it may be longer). After K = ceil(log2 n) doublings a
    node's pointer is 2^K >= n steps ahead, so it is on the cycle. The smallest of
    the next 2^K nodes is then the smallest node on the cycle, which identifies the
    component. This takes K rounds of O(n) for any graph, without synchronizing with
    the host.

    Args:
        neighbor (Tensor): The node that each node is linked to, (n,) int64.
            A node may be linked to itself. Links are undirected.

    Returns:
        Tensor: Component of each node, (n,) int64, numbered from 0 in the order of
        their first nodes, as by ``scipy.sparse.csgraph.connected_components``.
    """
    n = len(neighbor)
    node = torch.arange(n, device=neighbor.device)
    pointer, least = neighbor, node  # 1 step ahead; the minimum of 1 node
    for _ in range((n - 1).bit_length()):
        least = torch.minimum(least, least[pointer])
        pointer = pointer[pointer]
    root = least[pointer]
    first = node.scatter_reduce(0, root, node, 'amin')[root]
    number = (first == node).cumsum(0) - 1
    return number[first]


@torch.no_grad()
def weak_labels(rows: Tensor, columns: Tensor) -> Tensor:
    """WCL's weak labels: components of the global batch's neighbor graph.

    Each rank finds the neighbors of its own rows, and the ranks exchange these
    indices. So all ranks label the same graph, even if they round differently.
    Source: WCL (arXiv:2110.04770).

    Args:
        rows (Tensor): This rank's vectors, (b, D), b equal on all ranks.
        columns (Tensor): The vectors of all ranks in rank order, (B, D).

    Returns:
        Tensor: Components of the B samples, (B,) int64, as from
        :func:`connected_components`. Each has at least two members.
    """
    neighbor = nearest_neighbor(rows, columns, get_rank() * len(rows))
    return connected_components(torch.cat(all_gather(neighbor)))


def _number_equal(keys: Tensor) -> Tensor:
    """For each entry, the number of entries with the same key, including itself, (n,)."""
    ordered, order = keys.sort()
    starts = torch.ones_like(ordered)
    starts[1:] = ordered[1:] != ordered[:-1]
    run = starts.cumsum(0) - 1
    number = torch.zeros_like(keys).scatter_add_(0, run, torch.ones_like(keys))
    return torch.empty_like(keys).scatter_(0, order, number[run])


@torch.no_grad()
def label_purity(labels: Tensor, classes: Tensor) -> Tensor:
    """How well weak labels agree with classes.

    A sample's positives are the other samples with its weak label. Its purity is
    the fraction of its positives that have its class; the result is the mean over
    samples. This is the probability that a positive, drawn with the weights of the
    loss, has the right class.

    Args:
        labels (Tensor): Weak labels, (n,), in [0, n).
        classes (Tensor): Classes, (n,) int64, below 2^32, or -1 if unknown.
            Samples of unknown class are ignored, both as samples and as
            positives, and so are samples without positives.

    Returns:
        Tensor: A float32 scalar in [0, 1]; 0 if all samples are ignored.
    """
    known = classes >= 0
    alone = -1 - torch.arange(len(labels), device=labels.device)
    same = _number_equal(torch.where(known, labels * 2**32 + classes, alone)) - 1
    members = torch.zeros_like(labels).scatter_add_(0, labels, known.long())
    others = members[labels] - 1
    counts = known & (others > 0)
    share = same / others.clamp(min=1)
    return (share * counts).sum() / counts.sum().clamp(min=1)
