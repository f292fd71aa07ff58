"""Paths depend only on the seed and the step, also after a resume."""

import numpy as np
import pytest
import torch

from mmrel.models.utils import PathSampler
from tests.vitas import small_space


def test_paths_follow_seed_and_step() -> None:
    space = small_space()
    sampler = PathSampler(space, seed=3)
    paths = [sampler.next() for _ in range(6)]
    assert [PathSampler(space, seed=3).next()] == paths[:1]
    assert PathSampler(space, seed=4).next() != paths[0]
    assert len({str(path) for path in paths}) == 6


def test_the_path_of_a_step_is_drawn_from_seed_and_step() -> None:
    space, sampler = small_space(), PathSampler(small_space(), seed=3)
    torch.manual_seed(1)
    np.random.seed(1)  # no global generator takes part
    for step in range(4):
        assert sampler.next() == space.sample(np.random.default_rng([3, step]))


def test_a_loaded_state_replaces_seed_and_step() -> None:
    one, other = PathSampler(small_space(), seed=7), PathSampler(small_space(), seed=2)
    for _ in range(5):
        one.next()
    other.next()
    other.load_state_dict(one.state_dict())
    assert other.state.tolist() == [7, 5]
    assert [other.next() for _ in range(4)] == [one.next() for _ in range(4)]
    # What was loaded is a copy: the two count separately.
    other.next()
    assert (one.state.tolist(), other.state.tolist()) == ([7, 9], [7, 10])


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r'model\.sampler\.seed=-1 must not be negative'):
        PathSampler(small_space(), seed=-1)
