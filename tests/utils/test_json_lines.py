"""Files with one JSON object per line, also of killed processes."""

from pathlib import Path

import pytest

from mmrel.utils.json_lines import finished_rows, format_rows, read_rows

# JSON strings may contain line separators that str.splitlines() splits at.
ROWS = [dict(a=1), dict(b='x\u2028y\x85'), dict(c=[1.5, None, dict(d='é')])]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / 'rows.jsonl'
    file.write_text(format_rows(ROWS))
    assert read_rows(file) == read_rows(str(file)) == ROWS
    file.write_text('\n{"b": "x\u2028y\x85"}\n\n', encoding='utf-8')
    assert read_rows(file) == ROWS[1:2]


def test_half_a_line_is_an_error_unless_it_may_be_there(tmp_path: Path) -> None:
    file = tmp_path / 'rows.jsonl'
    file.write_text(format_rows(ROWS) + '{"path": {"sec')
    assert read_rows(file, half_line=True) == ROWS
    with pytest.raises(ValueError, match=r'rows\.jsonl, line 4 is not JSON'):
        read_rows(file)
    # In the middle it is damage.
    file.write_text('{"a": 1\n' + format_rows(ROWS))
    with pytest.raises(ValueError, match=r'line 1 is not JSON'):
        read_rows(file, half_line=True)


def test_rows_can_be_appended_after_half_a_line(tmp_path: Path) -> None:
    file = tmp_path / 'rows.jsonl'
    assert finished_rows(file) == []
    assert not file.exists()
    file.write_text(format_rows(ROWS[:2]) + '{"c"')
    assert finished_rows(file) == ROWS[:2]
    with file.open('a') as lines:
        lines.write(format_rows(ROWS[2:]))
    assert read_rows(file) == ROWS


def test_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / 'rows.jsonl'
    with pytest.raises(FileNotFoundError, match=r'rows\.jsonl'):
        read_rows(file)
    file.write_text('[1]\n')
    with pytest.raises(ValueError, match=r'line 1 is not a JSON object'):
        read_rows(file)
    file.write_bytes(b'\xff\xfe{}')
    with pytest.raises(ValueError, match='is not UTF-8 text'):
        read_rows(file)
