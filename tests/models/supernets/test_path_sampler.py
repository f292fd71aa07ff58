"""Paths depend only on the seed and the step, also after a resume."""

import numpy as np
import pytest
import torch

from mmrel.models.supernets import PathSampler
from mmrel.models.supernets.path_sampler import fair_indices
from mmrel.spaces import NASBench201Space, NASBenchMacroSpace
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


@pytest.mark.parametrize('space', [NASBench201Space(), NASBenchMacroSpace()])
def test_fair_paths_take_each_option_once_in_a_round(space: object) -> None:
    options = len(next(iter(space.choices.values())))
    whole = fair_indices(space, (3, 0), 0, 20 * options)
    rounds = whole.reshape(20, options, -1)
    assert (np.sort(rounds, axis=1) == np.arange(options)[:, None]).all()
    # The orders differ from round to round and from choice to choice.
    assert len({turn.tobytes() for turn in rounds}) > 10
    assert len({column.tobytes() for column in np.moveaxis(whole, 1, 0)}) == whole.shape[1]
    # A step's path does not depend on where the run was interrupted.
    for step in (0, 7, 33):
        assert (fair_indices(space, (3, 0), step) == whole[step]).all()
        assert (fair_indices(space, (3, 0), step, 9) == whole[step : step + 9]).all()
    assert (fair_indices(space, (4, 0), 0, 20) != whole[:20]).any()


def test_choices_of_different_sizes_have_rounds_of_their_own() -> None:
    space = small_space()
    drawn = fair_indices(space, (0,), 0, 840)
    for column, options in enumerate(space.choices.values()):
        counts = np.bincount(drawn[:, column], minlength=len(options))
        assert counts.max() - counts.min() <= 1
