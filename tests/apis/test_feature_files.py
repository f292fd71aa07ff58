"""Features as files, together with the paths of their images."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mmrel.apis.feature_files import check_paths, paths_file, write_features

FEATURES = np.array([[0.1, -2.0], [1e-30, 3e38], [np.pi, 0.0]], np.float32)


def test_paths_that_a_file_cannot_hold() -> None:
    check_paths('f.parquet', ['a\nb.jpg', 'ä.jpg'])
    check_paths('f.npy', ['a\udcff.jpg', 'ä.jpg'])
    with pytest.raises(ValueError, match=r'line break: rename it, or write a \.parquet file'):
        check_paths('f.npy', ['a.jpg', 'a\nb.jpg'])
    with pytest.raises(ValueError, match=r'not UTF-8: rename it, or write a \.npy file'):
        check_paths('f.parquet', ['a.jpg', 'a\udcff.jpg'])


def test_an_npy_file_has_its_paths_beside_it(tmp_path: Path) -> None:
    names = ['a.b/x.jpg', 'ä.jpg', 'a\udcff.jpg']  # the last is no UTF-8
    out = tmp_path / 'run.1' / 'features.npy'
    write_features(str(out), FEATURES, names)
    np.testing.assert_array_equal(np.load(out), FEATURES)
    paths = out.parent / 'features.paths.txt'
    assert paths_file(str(out)) == str(paths)
    assert paths.read_bytes() == 'a.b/x.jpg\nä.jpg\n'.encode() + b'a\xff.jpg\n'


def test_a_parquet_file_has_vectors_of_one_length(tmp_path: Path) -> None:
    names, out = ['a\nb.jpg', 'ä.jpg', 'c.jpg'], tmp_path / 'features.parquet'
    write_features(str(out), FEATURES[:, ::-1], names)  # not contiguous in memory
    table = pq.read_table(out)
    assert table['path'].to_pylist() == names
    assert str(table.schema.field('feature').type).startswith('fixed_size_list<')
    np.testing.assert_array_equal(np.stack(table['feature'].to_numpy()), FEATURES[:, ::-1])
    assert [path.name for path in tmp_path.iterdir()] == ['features.parquet']


@pytest.mark.parametrize('ending', ['npy', 'parquet'])
def test_too_few_paths_change_no_file(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f'features.{ending}'
    out.write_text('of an earlier run')
    with pytest.raises(ValueError, match=r'^3 features do not match 2 images$'):
        write_features(str(out), FEATURES, ['a.jpg', 'b.jpg'])
    assert out.read_text() == 'of an earlier run'
