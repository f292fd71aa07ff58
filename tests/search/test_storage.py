"""Storages: out of reach, damaged, torn, or not a study at all."""

import json
from pathlib import Path

import optuna
import pytest

from mmrel.search.storage import open_storage
from tests.search.toy_study import toy_journal


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


@pytest.mark.parametrize(
    'content', [b'SQLite format 3\0 and more', b'{"a": 1}', b'weights\nand more', b'{\n "a": 1}']
)
def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'file'
    path.write_bytes(content)
    with pytest.raises(ConnectionError, match=r'not a valid Optuna journal.*sqlite:///FILE'):
        open_storage(str(path))
    assert path.read_bytes() == content


def test_a_file_that_is_no_journal_and_one_with_half_a_line(tmp_path: Path) -> None:
    file = tmp_path / 'study.journal'
    file.write_text('what a nice day\nit is\n')
    with pytest.raises(ConnectionError, match='not a valid Optuna journal'):
        open_storage(str(file))
    file.unlink()
    storage = open_storage(str(file))
    study = optuna.create_study(storage=storage, study_name='s')
    study.set_user_attr('a', 1)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"op_code":2,"wor')
    again = optuna.load_study(storage=open_storage(str(file)), study_name='s')
    again.set_user_attr('b', 2)
    last = optuna.load_study(storage=open_storage(str(file)), study_name='s')
    assert last.user_attrs == dict(a=1, b=2)


@pytest.fixture(scope='module')
def journal(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The rows of a study with one scored path and waiting ones."""
    file = tmp_path_factory.mktemp('study') / 's'
    toy_journal(file)
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize(
    'line',
    [
        '{"op_code": 99, "study_id": 0}', '{"op_code": 4}', '{"op_code": "x"}', '[1]', '3',
        '{"op_code": 4, "study_id": 0, "datetime_start": "x"}', '[' * 10**5,
        '{"op_code": 4, "study_id": 0, "datetime_start": null, "params": {"a": 1}}',
    ],
)  # fmt: skip
def test_hostile_journals_are_refused(journal: list[dict], tmp_path: Path, line: str) -> None:
    rows = [json.dumps(row) for row in journal] + [line]
    (tmp_path / 's').write_text('\n'.join(rows) + '\n')
    with pytest.raises(ConnectionError, match='damaged') as caught:
        open_storage(str(tmp_path / 's'))
    assert '\n' not in str(caught.value)
