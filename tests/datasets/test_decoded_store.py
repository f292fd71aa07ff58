import json
import os
import pickle
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmrel.datasets.decoded_store import DecodedStore, reopened
from mmrel.utils.processes import signature
from tests.distributed import run_ranks

SIZES = [3 * 4 * 3, 5 * 2 * 3, 0, 2 * 2 * 3]


def _images() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    shapes = [(3, 4), (5, 2), (2, 2), (2, 2)]
    return [draw.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in shapes]


def _made(path: Path, digest: str = 'a') -> DecodedStore:
    DecodedStore.create(str(path), digest, SIZES)
    return DecodedStore(str(path), digest)


def test_images_of_several_sizes_come_back(tmp_path: Path) -> None:
    store = _made(tmp_path / 'x.decoded')
    assert len(store) == 4
    assert [store.get(row) for row in range(4)] == [None] * 4
    for row, image in enumerate(_images()):
        store.put(row, image)
    again = DecodedStore(store.path, 'a')
    for row in (0, 1, 3):
        np.testing.assert_array_equal(again.get(row), _images()[row])
    assert again.get(2) is None  # it has no room
    with pytest.raises(ValueError, match='read-only'):
        again.get(0)[0] = 1


def test_a_rotated_image_fits_and_a_larger_one_is_ignored(tmp_path: Path) -> None:
    store = _made(tmp_path / 'x.decoded')
    upright = np.ascontiguousarray(_images()[0].transpose(1, 0, 2))
    store.put(0, upright)
    np.testing.assert_array_equal(store.get(0), upright)
    store.put(3, _images()[1])
    assert store.get(3) is None


@pytest.mark.parametrize('where', ['pixels', 'size', 'checksum'])
def test_what_was_written_in_part_is_not_stored(tmp_path: Path, where: str) -> None:
    store = _made(tmp_path / 'x.decoded')
    for row in (0, 1):
        store.put(row, _images()[row])
    if where == 'pixels':
        store._pixels[7] += 1
    elif where == 'size':
        store._table['height'][0], store._table['width'][0] = 4, 3
    else:
        store._table['checksum'][0] = 0
    assert store.get(0) is None
    assert store.get(1) is not None


def test_another_digest_or_a_cut_file_is_refused_and_made_anew(tmp_path: Path) -> None:
    path = tmp_path / 'x.decoded'
    _made(path).put(0, _images()[0])
    with pytest.raises(ValueError, match='other images'):
        DecodedStore(str(path), 'b')
    assert _made(path, 'a').get(0) is not None  # kept
    assert _made(path, 'b').get(0) is None
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ValueError, match='incomplete'):
        DecodedStore(str(path), 'b')
    path.write_bytes(b'\x80' * 5000)
    with pytest.raises(ValueError, match='does not contain decoded images'):
        DecodedStore(str(path), 'b')
    assert _made(path, 'b').get(0) is None


def test_a_copy_maps_the_same_file(tmp_path: Path) -> None:
    store = _made(tmp_path / 'x.decoded')
    content = pickle.dumps(store)
    assert len(content) < 500
    copy = pickle.loads(content)
    copy.put(1, _images()[1])
    np.testing.assert_array_equal(store.get(1), _images()[1])
    os.remove(store.path)
    assert reopened(store.path, 'a') is None
    assert store.get(1) is not None  # an open file stays


def test_the_whole_room_is_reserved(tmp_path: Path) -> None:
    DecodedStore.create(str(tmp_path / 'x.decoded'), 'a', [10_000_000])
    assert (tmp_path / 'x.decoded').stat().st_blocks * 512 >= 10_000_000


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'posix_fallocate', full)
    with pytest.raises(OSError, match='No space left'):
        _made(tmp_path / 'x.decoded')
    assert [file.name for file in tmp_path.iterdir()] == ['x.decoded.lock']


def test_stores_that_nobody_uses_are_removed(tmp_path: Path) -> None:
    old, used = (_made(tmp_path / f'{name}.decoded') for name in ('old', 'used'))
    month = time.time() - 31 * 86400
    for store in (old, used):
        os.utime(store.path, (month, month))
    DecodedStore(used.path, 'a')  # opening counts
    _made(tmp_path / 'new.decoded')
    found = {file.name for file in tmp_path.glob('*.decoded')}
    assert found == {'used.decoded', 'new.decoded'}


def _create_and_fill(rank: int, path: str) -> list:
    DecodedStore.create(path, 'a', SIZES)
    store = DecodedStore(path, 'a')
    for _ in range(200):
        for row in (0, 1, 3):
            store.put(row, _images()[row])
            found = store.get(row)
            assert found is None or np.array_equal(found, _images()[row])
    return [
        os.stat(path).st_ino,
        *(np.array_equal(store.get(row), _images()[row]) for row in (0, 1, 3)),
    ]


def test_ranks_create_one_file_and_may_write_the_same_images(tmp_path: Path) -> None:
    first, second = run_ranks(_create_and_fill, 2, str(tmp_path / 'x.decoded'))
    assert first == second
    assert first[1:] == [True] * 3


def test_the_header_is_readable_text(tmp_path: Path) -> None:
    store = _made(tmp_path / 'x.decoded')
    header = json.loads(Path(store.path).read_bytes()[:4096].rstrip(b'\0'))
    assert (header['rows'], header['pixels'], header['digest']) == (4, sum(SIZES), 'a')


@pytest.mark.parametrize(
    'header',
    [
        dict(rows=None),
        dict(rows=-1),
        dict(rows=4.0),
        dict(rows=2**62),
        dict(pixels='78'),
        dict(pixels=-3),
        dict(pixels=2**62),
        dict(digest=None, format='x'),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: dict) -> None:
    path = Path(_made(tmp_path / 'x.decoded').path)
    content = path.read_bytes()
    wrong = dict(json.loads(content[:4096].rstrip(b'\0')), **header)
    path.write_bytes(json.dumps(wrong).encode().ljust(4096, b'\0') + content[4096:])
    with pytest.raises(ValueError, match=r'does not contain|incomplete'):
        DecodedStore(str(path), 'a')


@pytest.mark.parametrize('starts', [(5, 36, 66, 66), (0, 2**63, 66, 66), (0, 36, 66, 79)])
def test_places_outside_the_file_are_refused(tmp_path: Path, starts: tuple[int, ...]) -> None:
    store = _made(tmp_path / 'x.decoded')
    store._table['start'] = starts
    with pytest.raises(ValueError, match='damaged'):
        DecodedStore(store.path, 'a')


def test_numbers_of_a_row_lead_nowhere_else(tmp_path: Path) -> None:
    store = _made(tmp_path / 'x.decoded')
    store.put(1, _images()[1])
    for height, width in ((2**32 - 1, 2**32 - 1), (0, 7), (11, 1)):
        store._table[0] = (2**60, height, width, 1)
        assert store.get(0) is None
    np.testing.assert_array_equal(store.get(1), _images()[1])


def test_another_number_of_images_is_refused(tmp_path: Path) -> None:
    store = _made(tmp_path / 'x.decoded')
    assert len(DecodedStore(store.path, 'a', 4)) == 4
    with pytest.raises(ValueError, match='other images'):
        DecodedStore(store.path, 'a', 5)


def test_a_file_that_a_third_user_left_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _made(tmp_path / 'x.decoded').path
    monkeypatch.setattr(os, 'geteuid', lambda: os.getuid() + 1)
    assert len(DecodedStore(path, 'a')) == 4  # of the folder's owner
    third = SimpleNamespace(st_uid=os.getuid() + 2)
    with monkeypatch.context() as patch:
        patch.setattr(os, 'stat', lambda _: third)
        with pytest.raises(ValueError, match='to another user'):
            DecodedStore(path, 'a')


def test_links_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / 'victim'
    victim.write_text('precious')
    (tmp_path / 'x.decoded.lock').symlink_to(victim)
    with pytest.raises(OSError, match='symbolic links'):
        _made(tmp_path / 'x.decoded')
    os.remove(tmp_path / 'x.decoded.lock')
    (tmp_path / f'x.decoded.{signature()}.0.partial').symlink_to(victim)
    _made(tmp_path / 'x.decoded').put(0, _images()[0])
    assert victim.read_text() == 'precious'


def test_room_is_reserved_without_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, 'posix_fallocate')
    DecodedStore.create(str(tmp_path / 'x.decoded'), 'a', [2_500_000, 7])
    assert (tmp_path / 'x.decoded').stat().st_blocks * 512 >= 2_500_007
    assert len(DecodedStore(str(tmp_path / 'x.decoded'), 'a', 2)) == 2
