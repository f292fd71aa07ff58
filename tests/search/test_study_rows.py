"""Rows that others wrote to a study are refused, or stay plain data."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.search.toy import CODE
from tests.search.toy_study import toy_journal, toy_study


@pytest.fixture(scope='module')
def journal(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The rows of a study with one scored path and waiting ones."""
    file = tmp_path_factory.mktemp('study') / 's'
    toy_journal(file)
    return [json.loads(line) for line in file.read_text().splitlines()]


def _trial(rows: list[dict]) -> dict:
    return next(row for row in rows if 'slot' in (row.get('user_attrs') or {}))


def _attribute(key: str, value: object) -> Callable[[list[dict]], None]:
    return lambda rows: _trial(rows)['user_attrs'].__setitem__(key, value)


def _cost(value: object) -> Callable[[list[dict]], None]:
    return lambda rows: _trial(rows)['user_attrs']['costs'].__setitem__('flops', value)


def _score(value: object) -> Callable[[list[dict]], None]:
    def change(rows: list[dict]) -> None:
        next(row for row in rows if row.get('values'))['values'] = value

    return change


def _of_study(key: str, value: object) -> Callable[[list[dict]], None]:
    """An attribute of the study, written last; None removes it."""

    def change(rows: list[dict]) -> None:
        old = next(row for row in rows if 'identity' in (row.get('user_attr') or {}))
        if value is None:
            rows.remove(old)
        else:
            rows.append(dict(old, user_attr={key: value}))

    return change


def _worker(value: object) -> Callable[[list[dict]], None]:
    def change(rows: list[dict]) -> None:
        next(r for r in rows if 'worker' in (r.get('user_attr') or {}))['user_attr'] = dict(
            worker=value
        )

    return change


def _distribution(rows: list[dict]) -> None:
    options = _trial(rows)['distributions']
    options['width0'] = options['width0'].replace('[1,', '["__import__(1)",')
    _trial(rows)['params']['width0'] = 0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (_of_study('identity', None), 'its header has identity=None'),
        (_of_study('identity', 'x'), "its header has identity='x'"),
        (_of_study('identity', {}), 'belongs to another search'),
        (_of_study('paths', -5), 'paths=-5'),
        (_of_study('paths', 31), 'paths=31'),
        (_of_study('paths', '3'), "paths='3'"),
        (_attribute('slot', CODE), 'slot='),
        (_attribute('slot', -1), 'slot=-1'),
        (_attribute('slot', 30), 'slot=30'),
        (_attribute('slot', True), 'slot=True'),
        (_attribute('generation', 3), 'generation=3'),
        (_attribute('key', CODE), 'key='),
        (_attribute('key', ['a']), 'key='),
        (_attribute('costs', 3), 'costs=3'),
        (_attribute('costs', {CODE: 1}), 'costs='),
        (_cost(1), r'costs\.flops=1'),
        (_cost(float('nan')), r'costs\.flops=nan'),
        (_cost('1'), r"costs\.flops='1'"),
        (_score([100.5]), r'score=100\.5'),
        (_score([float('inf')]), 'score=inf'),
        (_score([]), 'values='),
        (_score([1.0, 2.0]), 'values='),
        (_worker(dict(name='a', machine='b', pid='../..', start='1')), 'worker='),
        (_worker('me'), "worker='me'"),
        (_distribution, 'path='),
    ],
)
def test_hostile_rows_are_refused(
    journal: list[dict], tmp_path: Path, change: Callable, message: str
) -> None:
    rows = json.loads(json.dumps(journal))
    change(rows)
    (tmp_path / 's').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    with pytest.raises((ValueError, ConnectionError), match=message) as caught:
        toy_study(tmp_path / 's')
    assert str(caught.value).count('\n') <= 2
    assert not (tmp_path / 'ran').exists()


def test_hostile_checks_let_an_honest_study_go_on(journal: list[dict], tmp_path: Path) -> None:
    (tmp_path / 's').write_text(''.join(json.dumps(row) + '\n' for row in journal))
    assert len(toy_study(tmp_path / 's').rows()) == 1
