"""Weighted kNN classification on frozen features.

Protocol: features are L2-normalized; the k nearest bank features by cosine
similarity vote with weight exp(similarity / temperature) (InstDisc,
arXiv:1805.01978, Sec. 3.4; DINO and ReSSL use k = 200 and temperature 0.07).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, all_reduce, broadcast, get_rank, get_world_size
from torch import Tensor

from mmrel.utils.checks import check_count

from .knn_checks import (
    check_features,
    check_inputs,
    check_integers,
    check_labels,
    check_rows,
    check_settings,
)


def nearest(
    queries: Tensor, bank: Tensor, k: int, query_block: int = 1024, bank_block: int = 65536
) -> tuple[Tensor, Tensor]:
    """The k most similar rows of a bank, without the full similarity matrix.

    Args:
        queries (Tensor): Unit vectors, (Q, D).
        bank (Tensor): Unit vectors, (N, D).
        k (int): Number of rows to find; at most N are found.
        query_block (int): Queries per block. Defaults to 1024.
        bank_block (int): Bank rows per block. Defaults to 65536.

    Returns:
        tuple[Tensor, Tensor]: Similarities and indices into the bank, both
        (Q, min(k, N)), best first.

    Raises:
        ValueError: If the shapes do not match, or k is below 1.
    """
    check_features(queries, bank)
    check_count(1, '', k=k)
    k = min(k, len(bank))
    similarities, indices = [], []
    for rows in queries.split(query_block):
        best = rows.new_empty(len(rows), 0)
        found = torch.empty(len(rows), 0, dtype=torch.long, device=rows.device)
        for start in range(0, len(bank), bank_block):
            similarity = rows @ bank[start : start + bank_block].T
            value, index = similarity.topk(min(k, similarity.shape[1]), dim=1)
            best = torch.cat([best, value], 1)
            found = torch.cat([found, index + start], 1)
            best, order = best.topk(min(k, best.shape[1]), dim=1)
            found = found.gather(1, order)
        similarities.append(best)
        indices.append(found)
    if not similarities:
        empty = queries.new_empty(0, k)
        return empty, empty.long()
    return torch.cat(similarities), torch.cat(indices)


def vote(
    similarities: Tensor, labels: Tensor, num_classes: int, k: int, temperature: float
) -> Tensor:
    """Class scores from the k nearest neighbors.

    Args:
        similarities (Tensor): Similarities, best first, (Q, M). Only the first k
            count; M may be smaller than k if the bank is small. -inf marks a
            missing neighbor.
        labels (Tensor): The neighbors' classes, (Q, M).
        num_classes (int): C.
        k (int): Number of neighbors that vote.
        temperature (float): Temperature of the votes' weights.

    Returns:
        Tensor: Scores (Q, C), 0 for a class without a neighbor; each row sums to
        1, or to 0 if it has no neighbor at all.

    Raises:
        ValueError: If the shapes differ, or a neighbor's label is not one of
            the classes.
    """
    if similarities.shape != labels.shape or similarities.ndim != 2:
        raise ValueError(
            f'similarities {tuple(similarities.shape)} and labels {tuple(labels.shape)} must both '
            'be (Q, k)'
        )
    labels = check_integers(labels, 'labels').masked_fill(similarities.isneginf(), 0)
    check_labels(labels, num_classes, "the neighbors' labels")
    return _vote(similarities, labels, k, temperature, num_classes)


def _vote(
    similarities: Tensor, labels: Tensor, k: int, temperature: float, num_classes: int
) -> Tensor:
    """:func:`vote` for labels that are already checked."""
    similarities, labels = similarities[:, :k], labels[:, :k]
    # The softmax only rescales each row's weights, and cannot overflow.
    weights = F.softmax(similarities / temperature, dim=1)
    weights = weights.masked_fill(similarities.isneginf(), 0)
    scores = weights.new_zeros(len(weights), num_classes)
    return scores.scatter_add_(1, labels, weights)


def knn_scores(
    queries: Tensor,
    bank: Tensor,
    bank_labels: Tensor,
    num_classes: int,
    k: Sequence[int] = (200,),
    temperature: float = 0.07,
) -> dict[int, Tensor]:
    """KNN class scores; the ranks share the bank and the work.

    Each rank has a part of the bank and its own queries. It compares the queries of
    all ranks with its part; then the k best of all parts are merged.

    Args:
        queries (Tensor): This rank's features, (Q, D), Q equal on all ranks.
        bank (Tensor): This rank's part of the bank, (N, D); N may differ.
        bank_labels (Tensor): Its classes, (N,).
        num_classes (int): C.
        k (Sequence[int]): Numbers of neighbors. A k larger than the whole bank
            means the whole bank. Defaults to (200,).
        temperature (float): Temperature of the votes. Defaults to 0.07.

    Returns:
        dict[int, Tensor]: For each k, the scores of this rank's queries, (Q, C).

    Raises:
        ValueError: On all ranks, if the whole bank is empty, shapes do not match, a
            feature is not finite, a label is not one of the classes, or a k, the
            temperature or C is not positive.
    """
    check_settings(k, temperature)
    total = check_inputs(queries, bank, bank_labels, num_classes)
    most = min(max(k), total)
    queries = F.normalize(queries.float(), dim=1)
    bank = F.normalize(bank.float(), dim=1)
    everyone = torch.cat(all_gather(queries.contiguous()))
    value, index = nearest(everyone, bank, most)
    label = check_integers(bank_labels, 'bank_labels')[index]
    if value.shape[1] < most:
        # This rank's part is smaller than k; -inf never ranks among the k best.
        missing = most - value.shape[1]
        value = F.pad(value, (0, missing), value=-torch.inf)
        label = F.pad(label, (0, missing))
    mine = slice(get_rank() * len(queries), (get_rank() + 1) * len(queries))
    values = torch.cat([part[mine] for part in all_gather(value.contiguous())], 1)
    labels = torch.cat([part[mine] for part in all_gather(label.contiguous())], 1)
    values, order = values.topk(most, dim=1)
    labels = labels.gather(1, order)
    return {n: _vote(values, labels, n, temperature, num_classes) for n in k}


def neighbor_table(features: Tensor, rows: Tensor, total: int, k: int) -> Tensor:
    """The k nearest other images of every image in a set; the ranks share the work.

    Each rank has a part of the features and finds the neighbors of that part. The
    parts are broadcast one at a time, so no rank ever holds more than two parts, or a
    similarity matrix larger than a block.

    Args:
        features (Tensor): This rank's features, (n, D); n may differ.
        rows (Tensor): Indices of their images, (n,); each image is on one rank.
        total (int): N, the number of images.
        k (int): Number of neighbors.

    Returns:
        Tensor: Indices of the neighbors by cosine similarity, best first, (N, k)
        int32, equal on all ranks.

    Raises:
        ValueError: If there are fewer than k other images, a feature is not
            finite, or the rows do not contain each image exactly once.
    """
    if not 1 <= k < total:
        raise ValueError(
            f'{total} images cannot have k={k} neighbors each: k must be at least 1 and less than '
            'the number of images'
        )
    check_rows(features, rows, total)
    features = F.normalize(features.float(), dim=1)
    sizes = [int(size) for size in all_gather(rows.new_tensor([len(rows)]))]
    best = features.new_empty(len(rows), 0)
    found = rows.new_empty(len(rows), 0)
    for rank in range(get_world_size()):
        mine = rank == get_rank()
        part = features if mine else features.new_empty(sizes[rank], features.shape[1])
        names = rows if mine else rows.new_empty(sizes[rank])
        broadcast(part, rank)
        broadcast(names, rank)
        # One more, because the image itself is usually among them.
        value, index = nearest(features, part, k + 1)
        name = names[index]
        value = value.masked_fill(name == rows[:, None], -torch.inf)
        best, found = torch.cat([best, value], 1), torch.cat([found, name], 1)
        best, order = best.topk(min(k, best.shape[1]), dim=1)
        found = found.gather(1, order)
    table = torch.zeros(total, k, dtype=torch.int32, device=features.device)
    if len(rows):
        table[rows] = found.int()
    all_reduce(table)
    return table
