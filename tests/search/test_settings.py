"""Settings of a search that exclude each other or are out of range."""

import numpy as np
import pytest

from mmrel.search.budget import Budget
from mmrel.search.settings import check_settings, complete_sampler
from tests.search.toy import PlainSpace
from tests.search.toy_study import BUDGET


class _Measured:
    name, unit = 'flops', 'MACs'

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def __call__(self, space: PlainSpace, indices: np.ndarray) -> np.ndarray:
        return space.flops(indices) * self.batch_size


def test_costs_of_one_name_must_be_the_same() -> None:
    budget = Budget(**BUDGET)
    budget.cost = _Measured(1)
    check_settings(6, 5, ('accuracy', 'cost'), budget, _Measured(1))
    with pytest.raises(ValueError, match="are both 'flops', but with different settings"):
        check_settings(6, 5, ('accuracy', 'cost'), budget, _Measured(32))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ((1, 5, ('accuracy',)), r'test_cfg\.population=1 must be at least 2'),
        ((6, 0, ('accuracy',)), r'test_cfg\.generations=0 must be at least 1'),
        ((6, 5, ('cost',)), r"test_cfg\.objectives=\('cost',\) must be \('accuracy',\) or"),
        ((6, 5, ()), r'test_cfg\.objectives=\(\) must be'),
        ((6, 5, ('accuracy', 'cost')), r'no cost is set: set test_cfg\.cost=dict\(type=\.\.\.\)'),
    ],
)
def test_settings_out_of_range_are_named(settings: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_settings(*settings, budget=None, cost=None)


def test_a_cost_of_another_name_or_a_budget_alone_is_enough() -> None:
    check_settings(2, 1, ['accuracy', 'cost'], Budget(**BUDGET), None)
    other = _Measured(32)
    other.name = 'other'
    check_settings(2, 1, ('accuracy', 'cost'), Budget(**BUDGET), other)


def test_large_starts_are_for_accuracy_alone_and_older_studies_have_none() -> None:
    alone, front = ('accuracy',), ('accuracy', 'cost')
    assert complete_sampler(None, alone) == dict(large_start=0.5)
    assert complete_sampler(dict(mutation_prob=0.1), front) == dict(mutation_prob=0.1)
    assert complete_sampler(dict(large_start=0), alone) == {}
    assert complete_sampler(dict(large_start=0.2), front) == dict(large_start=0.2)
    assert complete_sampler(None, alone, dict(sampler={})) == {}
    assert complete_sampler(None, alone, dict(sampler=dict(large_start=0.5))) != {}
    assert complete_sampler(dict(large_start=0.5), alone, dict(sampler={})) != {}
