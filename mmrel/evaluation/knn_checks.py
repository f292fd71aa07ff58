"""Check the inputs of kNN, with the same result on all ranks."""

import math
from collections.abc import Sequence

import torch
from mmengine.dist import all_gather, all_reduce
from torch import Tensor

from mmrel.utils.checks import check_count


def check_settings(k: Sequence[int], temperature: float) -> None:
    """Check the numbers of neighbors and the temperature.

    Args:
        k (Sequence[int]): Numbers of neighbors.
        temperature (float): Temperature of the votes.

    Raises:
        ValueError: If ``k`` is empty, a k is not a positive integer, or the
            temperature is not positive and finite.
    """
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in k)
    if not k or not whole or not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(
            f'k={tuple(k)} must be positive integers, and temperature={temperature} must be '
            'positive and finite'
        )


def check_features(queries: Tensor, bank: Tensor) -> None:
    """Check the shapes of the features.

    Args:
        queries (Tensor): Should be (Q, D).
        bank (Tensor): Should be (N, D).

    Raises:
        ValueError: If they are not.
    """
    if queries.ndim != 2 or bank.ndim != 2 or queries.shape[1] != bank.shape[1]:
        raise ValueError(
            f'features of the queries, {tuple(queries.shape)}, and of the bank, '
            f'{tuple(bank.shape)}, must have shapes (Q, D) and (N, D)'
        )


def check_integers(labels: Tensor, what: str) -> Tensor:
    """Convert labels to int64, which indexing needs.

    Args:
        labels (Tensor): Labels of any integer type.
        what (str): Their name in messages.

    Returns:
        Tensor: The labels.

    Raises:
        ValueError: If they are not integers.
    """
    if labels.dtype == torch.bool or labels.is_floating_point() or labels.is_complex():
        raise ValueError(f'{what} are {labels.dtype} but must be integers, such as int64')
    return labels.long()


def _outside(labels: Tensor, num_classes: int) -> Tensor:
    return ((labels < 0) | (labels >= num_classes)).sum()


def check_labels(labels: Tensor, num_classes: int, what: str, together: bool = False) -> None:
    """Check that labels are class indices.

    Args:
        labels (Tensor): Any shape.
        num_classes (int): C.
        what (str): Their name in messages.
        together (bool): Whether all ranks call this; then all raise an error if
            one does. Defaults to False.

    Raises:
        ValueError: If a label is not in the range 0 to C - 1.
    """
    outside = _outside(check_integers(labels, what), num_classes)
    if together:
        all_reduce(outside)
    if int(outside):
        raise ValueError(
            f'{int(outside)} of {what} are not in 0 to {num_classes - 1}: num_classes must cover '
            'every class'
        )


def _not_finite(features: Tensor) -> Tensor:
    """Number of rows that cannot be normalized: NaN, infinite, or with an overflowing norm."""
    return (~features.float().norm(dim=1).isfinite()).sum()


def check_inputs(queries: Tensor, bank: Tensor, labels: Tensor, num_classes: int) -> int:
    """Check the inputs of kNN; every rank gets the same result.

    Args:
        queries (Tensor): This rank's features, (Q, D).
        bank (Tensor): This rank's part of the bank, (N, D).
        labels (Tensor): Its classes, (N,).
        num_classes (int): C.

    Returns:
        int: Size of the whole bank.

    Raises:
        ValueError: If an input is invalid.
    """
    check_features(queries, bank)
    check_count(1, '', num_classes=num_classes)
    if labels.shape != bank.shape[:1]:
        raise ValueError(
            f'bank_labels of shape {tuple(labels.shape)} must have one label for each of the '
            f'{len(bank)} features of the bank'
        )
    device = queries.device
    labels = check_integers(labels, 'bank_labels').to(device)
    sizes = torch.tensor([len(bank), len(queries), queries.shape[1]], device=device)
    found = torch.stack(
        [_outside(labels, num_classes), _not_finite(bank).to(device), _not_finite(queries)]
    )
    # The only synchronization with the device and the other ranks.
    ranks = torch.stack(all_gather(torch.cat([sizes, found]))).T.tolist()
    total, outside, bad_bank, bad_queries = (sum(ranks[i]) for i in (0, 3, 4, 5))
    if total == 0:
        raise ValueError('the kNN bank is empty')
    if len(set(ranks[1])) > 1:
        raise ValueError(
            f'the ranks have {ranks[1]} queries, but need the same number: set round_up=True in '
            "the test loader's sampler"
        )
    if len(set(ranks[2])) > 1:
        raise ValueError(f'the ranks have features of different widths: {ranks[2]}')
    if outside:
        raise ValueError(
            f'{outside} of the {total} bank_labels are not in 0 to {num_classes - 1}: num_classes '
            'must cover every class of the bank'
        )
    if bad_bank or bad_queries:
        raise ValueError(
            f'features of {bad_bank} of {total} bank images and of {bad_queries} of '
            f"{sum(ranks[1])} queries are not finite: the network's weights are not finite, or "
            'its activations overflow'
        )
    return total


def check_rows(features: Tensor, rows: Tensor, total: int) -> None:
    """Check that the ranks' features cover every image of a set exactly once.

    Args:
        features (Tensor): This rank's features, (n, D).
        rows (Tensor): Indices of their images, (n,).
        total (int): Number of images in the set.

    Raises:
        ValueError: If they do not, or if a feature is not finite.
    """
    if features.ndim != 2 or rows.shape != features.shape[:1]:
        raise ValueError(
            f'features {tuple(features.shape)} and rows {tuple(rows.shape)} must be (n, D) and (n,)'
        )
    rows = check_integers(rows, 'rows')
    times = torch.bincount(rows.clamp(0, total - 1), minlength=total)
    all_reduce(times)
    flaws = torch.stack([_outside(rows, total), _not_finite(features).to(rows.device)])
    all_reduce(flaws)
    outside, broken, wrong = torch.cat([flaws, (times != 1).sum()[None]]).tolist()
    if outside or wrong:
        raise ValueError(
            f'rows must contain each of {total} images exactly once over all ranks: {outside} rows '
            f'are not in 0 to {total - 1}, {wrong} images are missing or repeated'
        )
    if broken:
        raise ValueError(
            f"features of {broken} of {total} images are not finite: the network's weights are "
            'not finite, or its activations overflow'
        )
