"""Budgets, files of paths, results, retraining configs and rank correlation."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmrel.search.budget import Budget, draw_paths, path_costs
from mmrel.search.path_files import read_paths
from mmrel.search.ranking import rank_correlation
from mmrel.search.results import write_results
from mmrel.search.retraining import find_base, retraining_config
from mmrel.search.storage import open_storage
from mmrel.utils.json_lines import format_rows, read_rows
from mmrel.visualization import pareto_front
from tests.commands import ROOT
from tests.data.toy_supernet import ToySpace
from tests.search.toy import PlainSpace, accuracy

COST = dict(type='PlainFLOPs')


def _rows(n: int = 30) -> list[dict]:
    space = PlainSpace()
    paths = draw_paths(space, None, n, np.random.default_rng(0))
    return [
        dict(slot=i, generation=i // 10, score=accuracy(path) / 7, **path_costs(space, path),
             key=space.key(path), path=path)
        for i, path in enumerate(paths)
    ]  # fmt: skip


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


def test_the_front_is_what_no_path_beats() -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        costs, scores = draw.integers(0, 8, 12).tolist(), draw.integers(0, 8, 12).tolist()
        beaten = [
            any(
                (c <= costs[i] and s >= scores[i] and (c, s) != (costs[i], scores[i]))
                for c, s in zip(costs, scores, strict=True)
            )
            for i in range(12)
        ]
        unique = {(costs[i], scores[i]) for i in range(12) if not beaten[i]}
        front = pareto_front(costs, scores)
        assert [(costs[i], scores[i]) for i in front] == sorted(unique)


def test_results_are_the_best_and_all(tmp_path: Path) -> None:
    rows = _rows()
    rows[4]['score'] = rows[9]['score'] = 99.5
    write_results(str(tmp_path), rows, PlainSpace(), 'flops', 10, None)
    assert read_rows(str(tmp_path / 'paths.jsonl')) == rows
    best = json.loads((tmp_path / 'best_path.json').read_text())
    assert best == dict(
        rows[4], space=PlainSpace().fingerprint()
    )  # the earlier of two equal scores
    top = json.loads((tmp_path / 'top.json').read_text())
    assert [row['score'] for row in top] == sorted((r['score'] for r in rows), reverse=True)[:10]
    table = (tmp_path / 'top.md').read_text().splitlines()
    assert len(table) == 12
    assert table[2].startswith(f'| 1 | 99.50 | {rows[4]["flops"]:,} |')
    for name in ('pareto', 'history'):
        with Image.open(tmp_path / f'{name}.png') as picture:
            assert len(np.unique(np.asarray(picture.convert('RGB')).reshape(-1, 3), axis=0)) > 20
        assert 'plotly.min.js' in (tmp_path / f'{name}.html').read_text()
    assert (tmp_path / 'plotly.min.js').stat().st_size > 10**6
    assert not list(tmp_path.glob('*.partial'))
    assert not (tmp_path / 'retrain.py').exists()


def test_the_retraining_config_is_the_base_with_the_paths_network(tmp_path: Path) -> None:
    space = ToySpace()
    base = find_base('tests/data/tiny_retrain.py')
    assert Path(base).is_absolute()
    for second, widths in (('yes', [6, 14]), ('no', [6])):
        path = dict(second=second, width1=6, width2=14)
        (tmp_path / 'retrain.py').write_text(retraining_config(space, path, base, 'A path.'))
        model = Config.fromfile(tmp_path / 'retrain.py').model
        assert model.backbone == dict(type='ToyMLP', widths=widths, dropout=0.1)
        assert model.head.in_channels == widths[-1]
        assert model.head.loss.type == 'LabelSmoothLoss'
    other = tmp_path / 'other.py'
    other.write_text(
        "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18))\n"
    )
    (tmp_path / 'retrain.py').write_text(retraining_config(space, path, str(other), 'A path.'))
    model = Config.fromfile(tmp_path / 'retrain.py').model
    assert model.backbone == dict(type='ToyMLP', widths=[6])
    with pytest.raises(FileNotFoundError, match=r"retrain\.base='none\.py'"):
        find_base('none.py')
    # A file beside the search config comes first.
    (tmp_path / 'tests/data').mkdir(parents=True)
    (tmp_path / 'tests/data/tiny_retrain.py').write_text('')
    beside = find_base('tests/data/tiny_retrain.py', str(tmp_path / 'search.py'))
    assert beside == str((tmp_path / 'tests/data/tiny_retrain.py').resolve())
    assert find_base('configs/_base_/default_runtime.py') == str(
        ROOT / 'configs/_base_/default_runtime.py'
    )


def test_the_retraining_config_is_complete(tmp_path: Path) -> None:
    path = dict(second='no', width1=6, width2=14)
    base = tmp_path / 'base.py'
    base.write_text(
        "_base_ = ['upper.py']\nfrom math import floor\nlr = 0.1\n"
        "custom_imports = dict(imports=['tests.data.toy_supernet', 'json'])\n"
        "model = dict(type='ImageClassifier', init=floor)\n"
        "train_dataloader = dict(sizes=(1, 2), name='it\\'s')\n"
    )
    (tmp_path / 'upper.py').write_text('train_cfg = dict(by_epoch=True, max_epochs=3)\n')
    imports = dict(imports=['json', 'my_space'], allow_failed_imports=False)
    text = retraining_config(ToySpace(), path, str(base), 'A path.', imports)
    base.unlink()
    (tmp_path / 'upper.py').unlink()
    cfg = Config.fromstring(text.replace("'my_space'", "'csv'"), '.py')
    assert str(tmp_path) not in text
    assert cfg.custom_imports == dict(
        imports=['tests.data.toy_supernet', 'json', 'csv'], allow_failed_imports=False
    )
    assert cfg.model.init == 'math.floor'
    assert cfg.model.backbone == dict(type='ToyMLP', widths=[6])
    assert cfg.train_cfg == dict(by_epoch=True, max_epochs=3)
    assert cfg.train_dataloader == dict(sizes=(1, 2), name="it's")


def test_files_of_paths(tmp_path: Path) -> None:
    space, file = PlainSpace(), tmp_path / 'paths.jsonl'
    rows = _rows(3)
    file.write_text(format_rows([rows[0], rows[1]['path']]))
    assert read_paths(str(file), space) == [rows[0]['path'], rows[1]['path']]
    bad = dict(rows[2]['path'], width1=99)
    file.write_text(format_rows([rows[0], dict(path=bad)]))
    with pytest.raises(ValueError, match=r'paths\.jsonl, path 2: width1=99'):
        read_paths(str(file), space)
    file.write_text('\n')
    with pytest.raises(ValueError, match=r'paths\.jsonl contains no paths'):
        read_paths(str(file), space)


def test_rank_correlation_equals_counting_pairs() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.permutation(12).tolist(), draw.permutation(12).tolist()
    signs = [
        np.sign((x[i] - x[j]) * (y[i] - y[j])) for i, j in itertools.combinations(range(12), 2)
    ]
    found = rank_correlation(x, y)
    assert found.tau == pytest.approx(np.mean(signs))
    distance = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    assert found.rho == pytest.approx(1 - 6 * distance / (12 * 143))
    for scores, message in (([1, 1, 1], 'cannot be ranked'), ([1, 2, float('nan')], 'finite')):
        with pytest.raises(ValueError, match=message):
            rank_correlation([1, 2, 3], scores)
    with pytest.raises(ValueError, match='3 pairs'):
        rank_correlation([1, 2], [1, 2])


@pytest.mark.parametrize(
    ('where', 'error', 'message'),
    [
        ('sqlite:////proc/none/study.db', ConnectionError, r'/proc/none/study\.db'),
        ('/proc/none/study.journal', ConnectionError, r'/proc/none/study\.journal'),
        ('nosuch://host/db', ValueError, r'nosuch://host/db'),
        ('postgresql://me:secret@127.0.0.1:1/db', (ConnectionError, ImportError), r'me:\*\*\*@'),
    ],
)
def test_storages_out_of_reach_are_named(where: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        open_storage(where)
    assert 'secret' not in str(caught.value)


def test_a_file_that_is_no_journal_and_one_with_half_a_line(tmp_path: Path) -> None:
    file = tmp_path / 'study.journal'
    file.write_text('what a nice day\nit is\n')
    with pytest.raises(ConnectionError, match='not a valid Optuna journal'):
        open_storage(str(file))
    file.unlink()
    storage = open_storage(str(file))
    import optuna

    study = optuna.create_study(storage=storage, study_name='s')
    study.set_user_attr('a', 1)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"op_code":2,"wor')
    again = optuna.load_study(storage=open_storage(str(file)), study_name='s')
    again.set_user_attr('b', 2)
    last = optuna.load_study(storage=open_storage(str(file)), study_name='s')
    assert last.user_attrs == dict(a=1, b=2)
