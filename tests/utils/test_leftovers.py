"""Only what no living process may still be writing is removed."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from mmrel.utils.files import write_atomically, write_together
from mmrel.utils.leftovers import remove_partial_files, scratch_folder
from mmrel.utils.processes import has_ended, signature


@pytest.fixture(scope='module')
def ended() -> str:
    """Signature of a process that has ended."""
    process = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    signed = signature(process.pid)
    assert has_ended(signed) is False
    process.kill()
    process.wait()
    process.stdin.close()
    assert has_ended(signed) is True
    return signed


def test_partial_files(ended: str, tmp_path: Path) -> None:
    alive, elsewhere = signature(), f'{"0" * 12}-1-2'
    left = [f'results.json.{ended}.0.partial', f'x.y.{ended}.12.partial']
    kept = [
        f'results.json.{alive}.0.partial',
        f'results.json.{elsewhere}.0.partial',
        'epoch_1.pth.partial',
        'results.json.0123456789ab.partial',
        'features.partial.npy',
        f'{ended}.txt',
        'results.json',
        'partial',
    ]
    for name in left + kept:
        (tmp_path / name).write_text('x')
    (tmp_path / f'folder.{ended}.0.partial').mkdir()
    assert remove_partial_files(tmp_path) == sorted(left)
    assert all((tmp_path / name).exists() for name in kept)
    # Those whose writer cannot be asked go when they are a day old.
    yesterday = time.time() - 25 * 3600
    for path in tmp_path.iterdir():
        os.utime(path, (yesterday, yesterday))
    assert remove_partial_files(tmp_path) == sorted(kept[1:4])
    assert remove_partial_files(tmp_path / 'missing') == []


def test_a_shared_file_is_signed_while_it_is_written(tmp_path: Path) -> None:
    names = []
    write_together({str(tmp_path / 'a'): lambda _: names.extend(os.listdir(tmp_path))}, shared=True)
    assert len(names) == 1
    assert names[0].startswith(f'a.{signature()}.')
    assert remove_partial_files(tmp_path) == []
    write_atomically(b'1', str(tmp_path / 'a'), shared=True)
    assert os.listdir(tmp_path) == ['a']


def test_scratch_folders(ended: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    left, alive = (tmp_path / f'mmrel-scratch-{who}-x' for who in (ended, signature()))
    rescue = tmp_path / 'mmrel-abc'  # the extractor's: its features are the user's
    for folder in (left, alive, rescue):
        folder.mkdir()
    with scratch_folder() as scratch:
        assert sorted(tmp_path.iterdir()) == sorted([alive, rescue, Path(scratch)])
    assert sorted(tmp_path.iterdir()) == sorted([alive, rescue])
