"""Files of a URL: their place in the cache, and what is checked before they get there."""

import hashlib
import os
from pathlib import Path

import pytest

from mmrel.utils.download import (
    cache_folder,
    cached_path,
    check_file,
    downloaded,
    drive_id,
    short_hash,
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MMREL_HOME', str(tmp_path / 'home'))


def test_the_folder_is_mmrels_or_that_of_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == str(tmp_path / 'home' / 'checkpoints')
    monkeypatch.setenv('MMREL_HOME', '~/x')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert cache_folder() == str(tmp_path / 'x' / 'checkpoints')
    monkeypatch.delenv('MMREL_HOME')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    assert cache_folder() == str(tmp_path / 'torch' / 'hub' / 'checkpoints')


def test_only_names_with_a_hash_are_shared_by_addresses() -> None:
    def place(address: str) -> str:
        return os.path.relpath(cached_path(address), cache_folder())

    assert place('http://a.org/x/net-0123abcd.pth?v=1') == 'net-0123abcd.pth'
    assert place('http://b.org/net-0123abcd.pth') == 'net-0123abcd.pth'
    for address in ('http://a.org/net.pth', 'http://b.org/net.pth', 'http://a.org/net-123.pth'):
        digest = hashlib.sha256(address.encode()).hexdigest()[:8]
        assert short_hash(address) == digest
        assert place(address) == f'{digest}/{address.rpartition("/")[2]}'
    assert place('https://drive.google.com/file/d/1a-B_c/view?usp=sharing') == 'drive-1a-B_c.pth'


@pytest.mark.parametrize('address', ['http://a.org', 'http://a.org/', 'http://a.org/x/..'])
def test_an_address_without_a_file_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match='does not name a file'):
        cached_path(address)


@pytest.mark.parametrize(
    ('address', 'found'),
    [
        ('https://drive.google.com/file/d/1a-B_c/view', ('1a-B_c', False)),
        ('https://drive.google.com/drive/folders/1a-B_c?usp=x', ('1a-B_c', True)),
        ('https://drive.google.com/drive/u/0/folders/1a-B_c', ('1a-B_c', True)),
        ('https://drive.google.com/uc?export=download&id=1a-B_c', ('1a-B_c', False)),
        ('https://drive.google.com/', None),
        ('https://drive.google.com.evil.org/file/d/1a-B_c/view', None),
        ('https://a.org/drive.google.com/file/d/1a-B_c', None),
    ],
)
def test_ids_of_google_drive(address: str, found: tuple | None) -> None:
    assert drive_id(address) == found


def test_a_web_page_or_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / 'x'
    file.write_bytes(b'weights')
    digest = hashlib.sha256(b'weights').hexdigest()
    for expected in (None, digest, digest[:8].upper()):
        check_file(str(file), expected)
    with pytest.raises(RuntimeError, match=f'its SHA-256 is {digest}, expected 00ff: it has'):
        check_file(str(file), '00ff')
    for page in (b'<!DOCTYPE html>', b'\n  <html lang="en">'):
        file.write_bytes(page)
        with pytest.raises(RuntimeError, match='it is a web page'):
            check_file(str(file), hashlib.sha256(page).hexdigest())


def test_a_download_is_temporary_and_its_faults_name_the_remedy(tmp_path: Path) -> None:
    source, place = tmp_path / 'source', tmp_path / 'cache' / 'net.pth'
    source.write_bytes(b'weights')
    address = source.as_uri()
    by_hand = rf'download {address} by hand and put the file at {place}$'
    with downloaded(address, str(place)) as path:
        assert Path(path).read_bytes() == b'weights'
        assert Path(path).parents[1] == place.parent, 'so that moving it is atomic'
    with (
        pytest.raises(RuntimeError, match=rf'cannot be used \(its SHA-256 .*: {by_hand}'),
        downloaded(address, str(place), sha256='00'),
    ):
        raise AssertionError('a file with another hash must not be read')
    with (
        pytest.raises(RuntimeError, match=rf'cannot be used \(the file is odd\): {by_hand}'),
        downloaded(address, str(place)) as path,
    ):
        raise RuntimeError(f'checkpoint {path!r} is odd\nand more')
    source.unlink()
    with (
        pytest.raises(OSError, match=rf'cannot be downloaded \(.*\): {by_hand}'),
        downloaded(address, str(place)),
    ):
        raise AssertionError('there is no file')
    assert not list(place.parent.iterdir())
