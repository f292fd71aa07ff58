"""Sample the path of each training step."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmrel.spaces import ArchPath, SearchSpace
from mmrel.utils.checks import check_at_least


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
        check_at_least(0, 'model.sampler', seed=seed)
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
