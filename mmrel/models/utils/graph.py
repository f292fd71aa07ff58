"""Nearest-neighbour graphs and their connected components, on the device."""

import torch
from mmengine.dist import all_gather, get_rank
from torch import Tensor

from .precision import full_precision


@torch.no_grad()
@full_precision
def nearest_neighbour(rows: Tensor, columns: Tensor, offset: int = 0, block: int = 1024) -> Tensor:
    """The nearest other column of each row, without the full similarity matrix.

    Args:
        rows (Tensor): Vectors, (b, D): the columns ``offset`` to
            ``offset + b``.
        columns (Tensor): Vectors, (B, D).
        offset (int): Where the rows stand among the columns. Defaults to 0.
        block (int): Rows whose similarities exist at a time. Defaults to 1024.

    Returns:
        Tensor: The column of greatest inner product, the row itself excluded,
        (b,) int64. With a single column a row is its own neighbour.
    """
    found = []
    for start in range(0, len(rows), block):
        similarity = rows[start : start + block] @ columns.T
        similarity.diagonal(offset + start).fill_(-torch.inf)
        found.append(similarity.argmax(1))
    return torch.cat(found)


@torch.no_grad()
def connected_components(neighbour: Tensor) -> Tensor:
    """Connected components of the graph that links each node to one other.

    Pointer doubling. Following the neighbours, every node ends on a cycle, and
    a component has exactly one (two nodes that are each other's nearest; with
    ties it may be longer). After K = ceil(log2 n) doublings the pointer of a
    node has made 2^K >= n steps, so it is on the cycle, and the least node of
    the 2^K that follow it is the cycle's least: the component's name. K
    rounds of O(n), whatever the graph; nothing is read by the host.

    Args:
        neighbour (Tensor): The node that each node is linked to, (n,) int64.
            A node may be linked to itself. Links have no direction.

    Returns:
        Tensor: Components, (n,) int64, numbered from 0 by their first node (as
        ``scipy.sparse.csgraph.connected_components`` numbers them).
    """
    n = len(neighbour)
    node = torch.arange(n, device=neighbour.device)
    pointer, least = neighbour, node  # 1 step ahead; the least of 1 node
    for _ in range((n - 1).bit_length()):
        least = torch.minimum(least, least[pointer])
        pointer = pointer[pointer]
    root = least[pointer]
    first = node.scatter_reduce(0, root, node, 'amin')[root]
    number = (first == node).cumsum(0) - 1
    return number[first]


@torch.no_grad()
def similarity_components(similarity: Tensor) -> Tensor:
    """Components of the graph that links each sample to its most similar one.

    Args:
        similarity (Tensor): Similarities of all pairs, (n, n); the diagonal
            does not count.

    Returns:
        Tensor: As :func:`connected_components`, (n,).
    """
    others = similarity.detach().clone()
    others.fill_diagonal_(-torch.inf)
    return connected_components(others.argmax(1))


@torch.no_grad()
def weak_labels(rows: Tensor, columns: Tensor) -> Tensor:
    """WCL's weak labels: components of the global batch's neighbour graph.

    Each rank finds the neighbours of its own rows; the ranks then exchange
    these integers. So all label the same graph, however each of them rounds.
    Source: WCL (arXiv:2110.04770).

    Args:
        rows (Tensor): This rank's vectors, (b, D), b equal on all ranks.
        columns (Tensor): Those of all ranks, (B, D), by rank.

    Returns:
        Tensor: Components of the B samples, (B,) int64, as
        :func:`connected_components`; every one has at least two members.
    """
    neighbour = nearest_neighbour(rows, columns, get_rank() * len(rows))
    return connected_components(torch.cat(all_gather(neighbour)))


def _number_equal(keys: Tensor) -> Tensor:
    """How many entries have an entry's key, itself included, (n,)."""
    ordered, order = keys.sort()
    starts = torch.ones_like(ordered)
    starts[1:] = ordered[1:] != ordered[:-1]
    run = starts.cumsum(0) - 1
    number = torch.zeros_like(keys).scatter_add_(0, run, torch.ones_like(keys))
    return torch.empty_like(keys).scatter_(0, order, number[run])


@torch.no_grad()
def label_purity(labels: Tensor, classes: Tensor) -> Tensor:
    """How far weak labels agree with classes.

    A sample's positives are the other samples with its weak label. Its share
    is that of its positives which have its class; the purity is the mean of the
    shares. (So it is the chance that a positive, drawn as the loss weights
    them, is of the right class.)

    Args:
        labels (Tensor): Weak labels, (n,), in [0, n).
        classes (Tensor): Classes, (n,) int64, below 2^32; -1: not known.
            Samples without a class, or without a positive that has one, do not
            count.

    Returns:
        Tensor: A scalar in [0, 1], float32; 0 if no sample counts.
    """
    known = classes >= 0
    alone = -1 - torch.arange(len(labels), device=labels.device)
    same = _number_equal(torch.where(known, labels * 2**32 + classes, alone)) - 1
    members = torch.zeros_like(labels).scatter_add_(0, labels, known.long())
    others = members[labels] - 1
    counts = known & (others > 0)
    share = same / others.clamp(min=1)
    return (share * counts).sum() / counts.sum().clamp(min=1)
