"""Predictions as tables."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.lib
import pyarrow.parquet as pq
import pytest

from mmrel.apis.table_files import write_table


def test_tables_keep_odd_paths(tmp_path: Path) -> None:
    names = ['a,"b".jpg', 'line\nbreak.jpg', 'ä.jpg', 'a\udcff.jpg']
    write_table(str(tmp_path / 't.csv'), {'path': names, 'class': [1, 2, 3, 4]})
    with (tmp_path / 't.csv').open(newline='', encoding='utf-8', errors='surrogateescape') as file:
        rows = list(csv.reader(file))
    assert rows[0] == ['path', 'class']
    assert [row[0] for row in rows[1:]] == names
    with pytest.raises(ValueError, match='columns must have equal lengths'):
        write_table(str(tmp_path / 't.csv'), {'path': names, 'class': [1]})


def test_a_csv_file_has_the_shortest_digits_that_are_exact(tmp_path: Path) -> None:
    scores = np.array([0.1, 1 / 3], np.float32)
    out = tmp_path / 't.csv'
    write_table(str(out), {'path': ['a.jpg', None], 'class': ['x', 'y'], 'score': scores})
    assert out.read_bytes() == b'path,class,score\na.jpg,x,0.1\n,y,0.33333334\n'


def test_a_parquet_file_has_types(tmp_path: Path) -> None:
    scores, out = np.array([0.1, 1 / 3], np.float32), tmp_path / 't.parquet'
    write_table(str(out), {'path': ['a\nb.jpg', None], 'class': [2, 1], 'score': scores})
    table = pq.read_table(out)
    assert [str(field.type) for field in table.schema] == ['string', 'int64', 'float']
    assert (table['path'].to_pylist(), table['class'].to_pylist()) == (['a\nb.jpg', None], [2, 1])
    np.testing.assert_array_equal(table['score'].to_numpy(), scores)


def test_a_table_that_cannot_be_written_changes_no_file(tmp_path: Path) -> None:
    out = tmp_path / 't.parquet'
    out.write_text('of an earlier run')
    with pytest.raises(pyarrow.lib.ArrowInvalid):
        write_table(str(out), {'class': [1, 'x']})
    assert out.read_text() == 'of an earlier run'
    assert list(tmp_path.iterdir()) == [out]
