"""Files with one path per line."""

from pathlib import Path

import pytest

from mmrel.search.path_files import read_paths
from mmrel.utils.json_lines import format_rows
from tests.search.toy import PlainSpace, scored_rows


def test_files_of_paths(tmp_path: Path) -> None:
    space, file = PlainSpace(), tmp_path / 'paths.jsonl'
    rows = scored_rows(3)
    file.write_text(format_rows([rows[0], rows[1]['path']]))
    assert read_paths(str(file), space) == [rows[0]['path'], rows[1]['path']]
    bad = dict(rows[2]['path'], width1=99)
    file.write_text(format_rows([rows[0], dict(path=bad)]))
    with pytest.raises(ValueError, match=r'paths\.jsonl, path 2: width1=99'):
        read_paths(str(file), space)
    file.write_text('\n')
    with pytest.raises(ValueError, match=r'paths\.jsonl contains no paths'):
        read_paths(str(file), space)


@pytest.mark.parametrize('content', [b'\xff\xfe', b'[' * 10**5, b'[1]\n', b'{"path": 3}\n'])
def test_hostile_files_of_paths_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'p.jsonl').write_bytes(content)
    with pytest.raises(ValueError, match=r'p\.jsonl') as caught:
        read_paths(str(tmp_path / 'p.jsonl'), PlainSpace())
    assert '\n' not in str(caught.value)
