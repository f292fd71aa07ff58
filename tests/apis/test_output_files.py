"""Output files are checked before the work, and rescued after it."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from mmrel.apis.output_files import check_ending, check_writable, partial_file, write_or_rescue

ENDINGS = ('.npy', '.parquet')


def test_the_extension_is_the_format() -> None:
    assert check_ending('a.csv/b.npy', ENDINGS, 'features') == '.npy'
    for path in ('a.npy/b.csv', 'b.NPY', 'npy', '.npy'):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            check_ending(path, ENDINGS, 'features')
        assert str(caught.value) == (
            f'features cannot be written to {path!r}: the file extension must be .npy or .parquet'
        )


def test_a_check_makes_the_folder_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(str(tmp_path / 'a' / 'b' / 'x.npy'), ENDINGS, 'features')
    assert [path.name for path in tmp_path.rglob('*')] == ['a', 'b']
    (tmp_path / 'folder.npy').mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.npy' is a folder: give a file name"):
        check_writable(str(tmp_path / 'folder.npy'), ENDINGS, 'features')
    (tmp_path / 'file').touch()
    with pytest.raises(FileExistsError):
        check_writable(str(tmp_path / 'file' / 'x.npy'), ENDINGS, 'features')
    monkeypatch.setattr(os, 'access', lambda folder, mode: mode != os.W_OK)  # root may write all
    with pytest.raises(PermissionError, match=rf"folder '{tmp_path}' is not writable"):
        check_writable(str(tmp_path / 'x.npy'), ENDINGS, 'features')


def test_without_pyarrow_another_format_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'pyarrow.parquet', None)
    with pytest.raises(ImportError, match=r'pip install pyarrow, or write a \.npy or \.csv file'):
        check_writable(str(tmp_path / 'new' / 'x.parquet'), ('.npy', '.csv', '.parquet'), 'rows')
    assert not list(tmp_path.iterdir())


def test_the_partial_file_has_the_format_of_the_whole() -> None:
    assert partial_file('a.b/features.npy') == 'a.b/features.partial.npy'
    assert partial_file('a.b/x.y.csv') == 'a.b/x.y.partial.csv'


def test_what_cannot_be_written_is_put_elsewhere_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    place = str(tmp_path / 'out' / 'x.npy')
    full = OSError(28, 'No space left on device')

    def write(path: str) -> None:
        if path == place:
            raise full
        Path(path).write_text('rows')

    path, error = write_or_rescue(place, write)
    assert error is full
    assert Path(path).read_text() == 'rows'
    assert Path(path).name == 'x.npy'
    assert Path(path).parent.parent == tmp_path
    other = str(tmp_path / 'y.npy')
    assert write_or_rescue(other, write) == (other, None)
    assert Path(other).read_text() == 'rows'
    # What is wrong with the rows is wrong everywhere.
    with pytest.raises(ZeroDivisionError):
        write_or_rescue(place, lambda path: 1 / 0)
