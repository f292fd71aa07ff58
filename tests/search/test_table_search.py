"""Searches on a table: the same number of networks each, all within the budget."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from mmrel.search.table_search import TableCost, TableSearch
from mmrel.search.truth_table import TruthTable, read_truth_table
from mmrel.spaces import NASBenchMacroSpace

SPACE = NASBenchMacroSpace(channels=(4, 8), layers=(2, 3), stem_channels=4, last_channels=8)


@pytest.fixture(scope='module')
def table(tmp_path_factory: pytest.TempPathFactory) -> TruthTable:
    """243 networks; the accuracy adds up over the layers, with a little noise."""
    draw = np.random.default_rng(0)
    gains = draw.permuted(np.tile([0.0, 4.0, 8.0], (5, 1)), axis=1)
    lines = ['architecture,accuracy']
    for digits in itertools.product(range(3), repeat=5):
        gain = sum(gains[i, d] for i, d in enumerate(digits))
        lines.append(f'{"".join(map(str, digits))},{40 + gain + draw.normal(0, 0.5):.4f}')
    file: Path = tmp_path_factory.mktemp('table') / 'table.csv'
    file.write_text('\n'.join(lines) + '\n')
    return read_truth_table(file, SPACE)


def test_each_search_evaluates_different_networks_within_the_budget(table: TruthTable) -> None:
    limit = float(np.median(table.costs['flops']))
    search = TableSearch(table, 30, max_cost=limit, population=10)
    costs = dict(zip(map(SPACE.key, SPACE.paths(table.indices)), table.costs['flops'], strict=True))
    assert search.best == table.accuracy[table.costs['flops'] <= limit].max()
    for name, method in search.methods.items():
        keys = method(3)
        assert len(keys) == len(set(keys)) == 30, name
        assert max(costs[key] for key in keys) <= limit, name
        assert method(3) == keys, name
        assert name == 'most flops' or method(4) != keys
        curve = search.curve(keys)
        assert curve == sorted(curve)
        assert curve[-1] == max(search.curve([key])[0] for key in keys)
    most = [costs[key] for key in search.costliest(0)]
    assert most == sorted((c for c in costs.values() if c <= limit), reverse=True)[:30]


def test_evolution_finds_what_random_search_rarely_does(table: TruthTable) -> None:
    """Accuracies add up over layers: searches that learn must win over 6 seeds."""
    search = TableSearch(table, 40, population=10)
    last = {
        name: np.mean([search.curve(method(seed))[-1] for seed in range(6)])
        for name, method in search.methods.items()
    }
    for name in ('NSGA-II', 'NSGA-II, random start', 'regularized evolution', 'TPE'):
        assert last[name] > last['random'], last


def test_a_search_sees_the_scores_and_is_judged_by_the_truth(table: TruthTable) -> None:
    keys = [SPACE.key(path) for path in SPACE.paths(table.indices)]
    scores = dict(zip(keys[::2], (-table.accuracy[::2]).tolist(), strict=True))
    search = TableSearch(table, 40, scores, population=10)
    for method in search.methods.values():
        found = method(0)
        assert set(found) <= scores.keys()
        curve = search.curve(found)
        assert curve == sorted(curve, reverse=True)  # the best score is the worst network


def test_a_cost_of_the_table_is_infinite_outside_of_it(table: TruthTable) -> None:
    part = TruthTable(SPACE, table.indices[:5], table.accuracy[:5], None, dict(ms=np.arange(5.0)))
    cost = TableCost(part, 'ms')
    assert cost(SPACE, table.indices[3:6]).tolist() == [3, 4, np.inf]
    with pytest.raises(KeyError, match=r"the table has the costs \['ms'\], not 'flops'"):
        TableCost(part)
    with pytest.raises(ValueError, match=r'60 networks are to be evaluated, but only 5 different'):
        TableSearch(part, 60, cost='ms')
