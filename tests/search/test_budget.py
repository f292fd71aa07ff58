"""Budgets, and random paths within them."""

import numpy as np
import pytest

from mmrel.search.budget import Budget, draw_path, draw_paths, path_costs
from tests.search.toy import PlainFLOPs, PlainSpace
from tests.search.toy_study import BUDGET

COST = dict(type='PlainFLOPs')


def test_drawn_paths_keep_to_the_budget_and_differ() -> None:
    space = PlainSpace()
    budget = Budget(COST, min=100, max=160)
    paths = draw_paths(space, budget, 50, np.random.default_rng(0))
    costs = space.flops(space.indices(paths))
    assert costs.min() >= 100
    assert costs.max() <= 160
    assert len({space.key(path) for path in paths}) == 50
    assert paths == draw_paths(space, budget, 50, np.random.default_rng(0))
    assert all(budget.allows(space, path) for path in paths)
    with pytest.raises(ValueError, match=r'20 different paths .* only 12'):
        draw_paths(PlainSpace(3, 2), None, 20, np.random.default_rng(0))


def test_a_path_is_known_so_the_budget_can_be_met() -> None:
    """If a few draws find nothing new, the error does not say that no path meets the budget."""
    budget = dict(cost=dict(type='PlainFLOPs'), min=200, max=300, max_draws=1)
    generator = np.random.default_rng(0)
    space = PlainSpace()
    path = draw_paths(space, Budget(**BUDGET), 1, generator)[0]
    few = Budget(**budget)
    assert None in [draw_path(space, few, generator, [space.key(path)]) for _ in range(50)]

    def draw_often() -> None:
        for _ in range(50):
            draw_path(space, few, generator)

    with pytest.raises(ValueError, match='raise its max_draws'):
        draw_often()


@pytest.mark.parametrize(
    ('limits', 'inside', 'text'),
    [
        (dict(min=100), [False, True, True, True], '100 <= flops'),
        (dict(max=200), [True, True, True, False], 'flops <= 200'),
        (dict(min=100, max=200), [False, True, True, False], '100 <= flops <= 200'),
    ],
)
def test_both_limits_are_inside_the_budget(limits: dict, inside: list[bool], text: str) -> None:
    budget = Budget(COST, **limits)
    assert budget.keeps(np.array([99, 100, 200, 201])).tolist() == inside
    assert str(budget) == text


class _Doubled(PlainFLOPs):
    """Another cost."""

    name = 'doubled'

    def __call__(self, space: PlainSpace, indices: np.ndarray) -> np.ndarray:
        return 2 * super().__call__(space, indices)


def test_a_path_has_its_closed_costs_and_those_of_the_search() -> None:
    space = PlainSpace()
    path = dict(second='no', **{f'width{i}': i + 1 for i in range(6)})
    # 10 MACs for each of 1 + 3 + 4 + 5 + 6: width1 is not used without the second block.
    expected = dict(flops=190, parameters=38, doubled=380)
    # A cost called flops is the closed form's.
    costs = path_costs(space, path, [_Doubled(), PlainFLOPs()])
    assert costs == expected
    assert all(type(cost) is int for cost in costs.values()), 'they are written as JSON'


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(), r'budget\.min=None, budget\.max=None: set at least one'),
        (dict(min=5, max=4), r'budget\.min=5, budget\.max=4: .*min <= max'),
        (dict(min=5, max_draws=0), r'budget\.max_draws=0 must be at least 1'),
    ],
)
def test_a_budget_without_sense_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Budget(COST, **settings)


def test_a_large_path_is_the_largest_of_fifty() -> None:
    space, budget = PlainSpace(), Budget(**BUDGET)
    rows = space.sample_indices(1024, np.random.default_rng(3))
    costs = space.flops(rows)
    inside = [(cost, row) for cost, row in zip(costs, rows, strict=True) if 200 <= cost <= 300][:50]
    largest = max(inside, key=lambda pair: pair[0])[1]
    path = draw_path(space, budget, np.random.default_rng(3), large=True)
    assert path == space.paths(largest[None])[0]
    other = draw_path(space, budget, np.random.default_rng(3), [space.key(path)], large=True)
    assert space.key(other) != space.key(path)
    assert budget.allows(space, other)


def test_large_paths_respect_the_number_of_draws() -> None:
    sizes: list[int] = []

    class Counted:
        name = 'counted'

        def __call__(self, space: PlainSpace, indices: np.ndarray) -> np.ndarray:
            sizes.append(len(indices))
            return space.flops(indices)

    budget = Budget(**BUDGET, max_draws=20)
    budget.cost = Counted()
    draw_path(PlainSpace(), budget, np.random.default_rng(3), large=True)
    assert sizes[0] == 20


def test_a_cost_that_is_measured_is_not_measured_for_large_paths() -> None:
    space, budget = PlainSpace(), Budget(**BUDGET)
    sizes = []

    class Measured:
        name, measured = 'measured', True

        def __call__(self, space: PlainSpace, indices: np.ndarray) -> np.ndarray:
            sizes.append(len(indices))
            return space.flops(indices)

    plain = draw_path(space, budget, np.random.default_rng(3))
    budget.cost = Measured()
    assert draw_path(space, budget, np.random.default_rng(3), large=True) == plain
    assert sum(sizes) < 50


def test_without_a_large_path_within_the_budget_a_random_one_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space, budget = PlainSpace(), Budget(**BUDGET)
    monkeypatch.setattr('mmrel.search.budget._LARGE_DRAWS', 0)
    plain = draw_path(space, budget, np.random.default_rng(0))
    assert draw_path(space, budget, np.random.default_rng(0), large=True) == plain
