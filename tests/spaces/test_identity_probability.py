"""How often a block is the identity: given, or found for a budget."""

import numpy as np
import pytest

from mmrel.spaces import ViTASSpace
from mmrel.spaces.identity_probability import identity_probability
from tests.vitas import small_space


@pytest.mark.parametrize('budget', [(0.9e9, 1.1e9), (0.55e9, 0.57e9), (1.4e9, 1.45e9)])
def test_identity_probability_follows_the_budget(budget: tuple[float, float]) -> None:
    space = ViTASSpace(flops_budget=budget)
    used = space.sample_indices(1000, np.random.default_rng(0))  # the draws of the search
    mean = space.flops(used).mean()
    assert budget[0] <= mean <= budget[1]
    assert space.identity_probability == pytest.approx(round(space.identity_probability, 2))
    fresh = space.flops(space.sample_indices(20_000, np.random.default_rng(1))).mean()
    assert 0.95 * budget[0] <= fresh <= 1.05 * budget[1]
    # No probability closer to 0.5 meets it.
    step = 0.01 if space.identity_probability < 0.5 else -0.01
    if space.identity_probability != 0.5:
        nearer = space.sample_indices(
            1000, np.random.default_rng(0), space.identity_probability + step
        )
        assert not budget[0] <= space.flops(nearer).mean() <= budget[1]


@pytest.mark.parametrize('budget', [(1, 2), (1e12, 2e12), (1.0000e9, 1.0001e9)])
def test_a_budget_that_no_probability_has(budget: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r'space\.flops_budget=.*no identity probability'):
        ViTASSpace(flops_budget=budget)


def test_without_a_budget_it_is_the_given_one_or_a_half() -> None:
    space, fixed = small_space(), small_space(allow_identity=False)
    assert identity_probability(space, None, None) == 0.5
    assert identity_probability(space, 0.0, None) == 0.0
    assert identity_probability(space, 1, None) == 1
    assert identity_probability(fixed, None, None) == identity_probability(fixed, 0.0, None) == 0.0


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(identity_probability=1.5), r'identity_probability=1\.5'),
        (dict(identity_probability=0.5, flops_budget=(1, 2)), 'only one of them'),
        (dict(allow_identity=False, flops_budget=(1, 2)), 'allow_identity=False'),
        (dict(flops_budget=(2, 1)), '0 < low <= high'),
        (dict(flops_budget=(1,)), 'must be two numbers'),
        (dict(allow_identity=False, identity_probability=0.1), 'leave out .*identity_probability'),
    ],
)
def test_impossible_settings_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_space(**changes)
