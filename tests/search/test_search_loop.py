"""The search as a test loop, on a space so small that every network can be scored."""

import json
from pathlib import Path

import pytest

from mmrel.search.loop import SearchLoop
from mmrel.utils.json_lines import read_rows
from tests.search.toy_loop import slow_accuracy, toy_loader, toy_runner


def _loop(work_dir: Path, **settings: object) -> SearchLoop:
    settings = dict(dict(population=6, generations=2), **settings)
    return SearchLoop(toy_runner(work_dir), toy_loader(), **settings)


def test_a_search_through_a_whole_space_finds_its_best_network(tmp_path: Path) -> None:
    found = _loop(tmp_path).run()
    runner = toy_runner(tmp_path)
    model, scores = runner.model.eval(), {}
    for second, first, width in ('y22', 'y25', 'y52', 'y55', 'n22', 'n52'):
        path = dict(second='yes' if second == 'y' else 'no', width1=int(first), width2=int(width))
        scores[model.space.key(path)] = slow_accuracy(model, path)
    rows = read_rows(str(tmp_path / 'paths.jsonl'))
    assert {row['key']: row['score'] for row in rows} == pytest.approx(scores)
    assert len(set(scores.values())) > 1, 'the networks must differ'
    # The space ends the search: six networks instead of twelve paths.
    assert found == {'search/top1': pytest.approx(max(scores.values())), 'search/paths': 6}
    best = json.loads((tmp_path / 'best_path.json').read_text())
    assert best['space'] == model.space.fingerprint()

    with pytest.raises(FileExistsError, match=r"'search' already has paths: .*--resume"):
        _loop(tmp_path).run()
    assert _loop(tmp_path, study=dict(resume=True)).run() == found
    with pytest.raises(FileExistsError, match=r"has the study 'search', .* is 'b': use another"):
        _loop(tmp_path, study=dict(name='b', resume=True)).run()


def test_the_former_names_of_the_studys_place_work(tmp_path: Path) -> None:
    storage = str(tmp_path / 'shared.journal')
    loop = _loop(tmp_path, study_name='b', storage=storage, study=dict(name='c', resume=True))
    assert (loop.study_name, loop.fresh) == ('b', False)
    assert _loop(tmp_path, resume=False).fresh
    assert not _loop(tmp_path, resume=True).fresh


def test_the_plots_are_by_the_cost_then_the_budgets_then_flops(tmp_path: Path) -> None:
    budget = dict(cost=dict(type='ParametersCost'), max=10**9)
    assert _loop(tmp_path).cost_name == 'flops'
    assert _loop(tmp_path, budget=budget).cost_name == 'parameters'
    assert _loop(tmp_path, budget=budget, cost=dict(type='FLOPsCost')).cost_name == 'flops'


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(top=0), ValueError, r'test_cfg\.top=0 must be at least 1'),
        (
            dict(sampler=dict(mutations=1)),
            ValueError,
            r'sampler\.mutations is not .* takes crossover_prob, ',
        ),
        (dict(retrain=dict(bases='a.py')), KeyError, 'has no base: set it to the config'),
        (dict(population=1), ValueError, r'test_cfg\.population=1'),
        (dict(objectives=('accuracy', 'cost')), ValueError, r'set test_cfg\.cost'),
        (dict(retrain=dict(base='none.py')), FileNotFoundError, r"retrain\.base='none\.py'"),
    ],
)
def test_settings_are_refused_before_anything_is_written(
    tmp_path: Path, settings: dict, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        _loop(tmp_path, **settings)
    assert not list(tmp_path.iterdir())
