"""Sample the path of each training step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmrel.spaces import ArchPath, SearchSpace
from mmrel.utils.checks import check_count


def fair_indices(
    space: SearchSpace, seed: Sequence[int], first: int, number: int = 1
) -> np.ndarray:
    """Paths of successive steps that take each option of a choice equally often.

    A choice with n options takes each of them once in n steps, in a random order
    that differs from choice to choice and from round to round. A step's path depends
    only on (seed, step). Source: FairNAS's strict fairness (arXiv:1907.01845); unlike
    there, the weights are updated after every path, not after a round.

    Args:
        space (SearchSpace): The space. All its options count, used or not.
        seed (Sequence[int]): Seed; integers that are not negative.
        first (int): The first step.
        number (int): Number of steps N. Defaults to 1.

    Returns:
        np.ndarray: Option indices, (N, C), int64.
    """
    columns = []
    for column, options in enumerate(space.choices.values()):
        size = len(options)
        rounds = range(first // size, (first + number - 1) // size + 1)
        orders = [np.random.default_rng((*seed, column, turn)).permutation(size) for turn in rounds]
        start = first - rounds[0] * size
        columns.append(np.concatenate(orders)[start : start + number])
    return np.stack(columns, axis=1)


class PathSampler(nn.Module):
    """Draw a random path per step, the same on every rank and after a resume.

    A step's path depends only on (seed, step). Seed and step are in a buffer, so
    they are in the checkpoint.

    Args:
        space (SearchSpace): The space to sample paths from.
        seed (int): Defaults to 0.

    Raises:
        ValueError: If the seed is negative.
    """

    state: Tensor

    def __init__(self, space: SearchSpace, seed: int = 0) -> None:
        super().__init__()
        check_count(0, 'model.sampler', seed=seed)
        self.space = space
        self.register_buffer('state', torch.tensor([seed, 0]))
        # The same two numbers on the host, to avoid reading the device.
        self._seed, self._step = seed, 0

    def next(self) -> ArchPath:
        """The path of this step."""
        path = self.space.sample(np.random.default_rng((self._seed, self._step)))
        self._step += 1
        self.state[1] += 1
        return path

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._seed, self._step = self.state.tolist()
