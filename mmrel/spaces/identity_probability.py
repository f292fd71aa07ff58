"""The probability that a block of a random ViTAS path is the identity."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmrel.utils.checks import check_within

if TYPE_CHECKING:
    from .vitas import ViTASSpace


def identity_probability(
    space: 'ViTASSpace', probability: float | None, budget: Sequence[int] | None
) -> float:
    """The probability that a block of a random path is the identity.

    Args:
        space (ViTASSpace): The space.
        probability (float, optional): The setting ``identity_probability``.
        budget (Sequence[int], optional): The setting ``flops_budget``.

    Returns:
        float: The given probability, the one that meets the budget, or 0.5.

    Raises:
        ValueError: If a setting is invalid, both are given, or no probability meets
            the budget.
    """
    if not space.allow_identity:
        if probability or budget is not None:
            raise ValueError(
                'space.allow_identity=False allows no identity blocks, so they need no '
                'probability: leave out space.identity_probability and space.flops_budget'
            )
        return 0.0
    if probability is not None and budget is not None:
        raise ValueError(
            f'space.identity_probability={probability} and space.flops_budget={budget}: give '
            'only one of them'
        )
    if budget is not None:
        if not isinstance(budget, Sequence) or len(budget) != 2:
            raise ValueError(f'space.flops_budget={budget} must be two numbers, (low, high)')
        return search_identity_probability(space, *budget)
    probability = 0.5 if probability is None else probability
    check_within('[0, 1]', 'space', identity_probability=probability)
    return probability


def search_identity_probability(space: 'ViTASSpace', low: int, high: int, seed: int = 0) -> float:
    """Find the identity probability that gives random paths the desired mean FLOPs.

    It starts at 0.5 and moves by 0.01. All steps use the same 1,000 draws, so the
    mean decreases as the probability increases, and the result is deterministic.

    Args:
        space (ViTASSpace): The space.
        low (int): Lower bound of the mean FLOPs.
        high (int): Upper bound of the mean FLOPs.
        seed (int): Seed of the draws. Defaults to 0.

    Returns:
        float: The probability, in (0, 1).

    Raises:
        ValueError: If no probability in (0, 1) gives such a mean.
    """
    if not 0 < low <= high:
        raise ValueError(f'space.flops_budget=({low}, {high}) must be 0 < low <= high')
    cent, means = 50, {}
    while 0 < cent < 100 and cent not in means:
        generator = np.random.default_rng(seed)
        paths = space.sample_indices(1000, generator, cent / 100)
        means[cent] = float(space.flops(paths).mean())
        if low <= means[cent] <= high:
            return cent / 100
        cent += 1 if means[cent] > high else -1
    lowest, highest = min(means.values()), max(means.values())
    raise ValueError(
        f'space.flops_budget=({low}, {high}): no identity probability from 0.01 to 0.99 '
        f'meets it (mean FLOPs range from {lowest:.4g} to {highest:.4g}): change or widen the '
        'budget'
    )
