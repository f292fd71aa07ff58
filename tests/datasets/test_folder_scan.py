"""Odd folders and files: what is read of them, and what is said."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from mmengine.fileio import LocalBackend, register_backend

from mmrel.datasets import BrokenImageError, LoadImage, folder_scan
from mmrel.datasets.image_list import ImageList, ImageListDataset
from mmrel.registry import DATASETS
from tests.odd_images import FLOATS, RGB, saved

JPEG = saved(np.full((8, 8, 3), 99, np.uint8), 'JPEG')
PNG = saved(RGB, 'PNG')


def _write(root: Path, **files: bytes | None) -> Path:
    """Files by path; None is a JPEG."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG if content is None else content)
    return root


def _folder(root: Path, *names: str) -> Path:
    return _write(root, **dict.fromkeys(names))


def _build(root: Path | str, **changes) -> object:
    cfg = dict(type='ImageFolder', data_root=str(root), pipeline=[dict(type='LoadImage')])
    # Serialized data come with a garbage collection: most of such a test's time.
    return DATASETS.build(dict(cfg, serialize_data=False, **changes))


def _names(dataset: object) -> list[str]:
    prefix = dataset.img_prefix.rstrip('/') + '/'
    return [dataset.get_data_info(i)['img_path'].removeprefix(prefix) for i in range(len(dataset))]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(folder_scan, 'print_log', lambda text, **_: said.append(text))
    return said


def test_odd_images_folder_says_what_is_read_and_left_out(tmp_path: Path, lines: list[str]) -> None:
    _folder(
        tmp_path, 'a/1.jpg', 'a/2.WEBP', 'a/deep/3.TiFf', 'b/1.avif', 'b/2.gif', 'b/3.jfif',
        'a/notes.txt', 'a/4.heic', 'b/README', 'stray.png', 'b/Thumbs.db', 'a/._1.jpg',
        '.ipynb_checkpoints/1.jpg', '__MACOSX/a/1.jpg', 'a/@eaDir/1.jpg', 'a/.thumbnails/1.jpg',
    )  # fmt: skip
    (tmp_path / 'c').mkdir()
    dataset = _build(tmp_path)
    assert _names(dataset) == ['a/1.jpg', 'a/2.WEBP', 'a/deep/3.TiFf', 'b/1.avif', 'b/2.gif',
                               'b/3.jfif']  # fmt: skip
    assert dataset.metainfo['classes'] == ('a', 'b', 'c')
    assert [dataset.get_data_info(i)['gt_label'] for i in (0, 5)] == [0, 1]
    assert len(lines) == 1
    assert lines[0].startswith(f'{tmp_path}/: 6 images in 3 classes (1 without images: c); left ')
    assert 'left out: 3 with other extensions (' in lines[0]
    assert all(part in lines[0] for part in ('1 .txt', '1 .heic', '1 without extension'))
    assert '6 hidden (.ipynb_checkpoints, __MACOSX, a/._1.jpg, a/.thumbnails, a/@e' in lines[0]
    assert lines[0].endswith('1 images outside the class folders')
    assert _names(_build(tmp_path, with_label=False))[-1] == 'stray.png'


def test_odd_images_folder_with_nothing_left_out(tmp_path: Path, lines: list[str]) -> None:
    _build(_folder(tmp_path, 'a/1.jpg', 'b/1.jpg'))
    assert lines == [f'{tmp_path}/: 2 images in 2 classes']


@pytest.mark.parametrize('given', ['.png', 'png', ['PNG'], '.heic,.png', ('.png', '.heic')])
def test_odd_images_extensions_are_a_setting(tmp_path: Path, given: object) -> None:
    _write(tmp_path, **{'a/1.png': PNG, 'a/2.jpg': JPEG, 'a/3': PNG})
    assert _names(_build(tmp_path, extensions=given)) == ['a/1.png']
    assert ImageList(tmp_path, extensions=given).items == [str(tmp_path / 'a/1.png')]


def test_odd_images_without_extension(tmp_path: Path) -> None:
    _write(tmp_path, **{'a/1.png': PNG, 'a/2.txt': JPEG, 'a/3': JPEG})
    assert _names(_build(tmp_path, extensions=['', '.png'])) == ['a/1.png', 'a/3']
    assert _build(tmp_path, extensions='')[0]['img'].size == (8, 8)


def test_odd_images_file_names(tmp_path: Path, lines: list[str]) -> None:
    odd = ['a b.jpg', 'tab\t.jpg', 'line\nbreak.jpg', 'größe 図.jpg', 'quote\'".jpg', 'x.JPEG']
    raw = os.fsdecode(b'latin\xe9.jpg')
    _folder(tmp_path, *(f'k/{name}' for name in [*odd, raw]))
    dataset = _build(tmp_path)
    assert sorted(_names(dataset)) == sorted(f'k/{name}' for name in [*odd, raw])
    assert all(dataset[i]['img'].size == (8, 8) for i in range(7))
    for name in ('line\nbreak.jpg', raw):
        (tmp_path / 'k' / name).write_bytes(b'text')
    with pytest.raises(BrokenImageError) as caught:
        [dataset[i] for i in range(7)]
    str(caught.value).encode()
    assert '\n' not in str(caught.value)


def test_odd_images_links(tmp_path: Path, lines: list[str]) -> None:
    """Links to folders and files are followed; a circle ends."""
    root = _folder(tmp_path / 'root', 'a/1.jpg', 'b/sub/1.jpg')
    other = _folder(tmp_path / 'other', '2.jpg')
    (root / 'c').symlink_to(other)
    (root / 'a/2.jpg').symlink_to(other / '2.jpg')
    (root / 'b/sub/up').symlink_to(root / 'b')
    (root / 'd').symlink_to(root)
    (root / 'a/self').symlink_to('self')
    dataset = _build(root)
    assert _names(dataset) == ['a/1.jpg', 'a/2.jpg', 'b/sub/1.jpg', 'c/2.jpg']
    assert dataset.metainfo['classes'] == ('a', 'b', 'c')
    assert '2 links to a parent folder (d, b/sub/up)' in lines[0]
    assert '1 without extension' in lines[0]


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to('nowhere.jpg')


def _socket(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(before)


def _content(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


BROKEN = {
    'link to itself': (_loop, 'Too many levels of symbolic links'),
    'dangling link': (_dangling, 'a link to a file that does not exist'),
    'named pipe': (os.mkfifo, 'it is a named pipe'),
    'socket': (_socket, 'it is a socket'),
    'device': (lambda path: path.symlink_to('/dev/zero'), 'it is a device'),
    'file of the kernel': (lambda path: path.symlink_to('/proc/self/maps'), 'the file is empty'),
    'no bytes': (_content(b''), 'the file is empty'),
    'text': (_content(b'no image'), 'not an image in a format that the installed Pillow reads'),
    'cut JPEG': (_content(saved(RGB, 'JPEG')[:-40]), 'truncated|broken'),
    'cut PNG': (_content(PNG[: len(PNG) // 2]), 'truncated|Truncated|broken'),
    'PostScript': (_content(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n'), 'not an image'),
    'no range': (_content(saved(FLOATS, 'TIFF')), 'value_range'),
}


@pytest.mark.parametrize('kind', BROKEN)
def test_odd_images_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    """One line that names the file; skip_broken leaves it out, the extractor's list too."""
    make, reason = BROKEN[kind]
    _folder(tmp_path, 'a/1.jpg', 'b/1.jpg')
    bad = tmp_path / 'b' / 'x.png'
    make(bad)
    with pytest.raises(BrokenImageError, match=reason) as caught:
        list(map(_build(tmp_path).__getitem__, range(3)))
    message = str(caught.value)
    assert message.startswith(f"image '{bad}' cannot be decoded (")
    assert 'dataset.skip_broken=True' in message
    assert '\n' not in message
    assert '_io.' not in message
    assert _names(_build(tmp_path, skip_broken=True)) == ['a/1.jpg', 'b/1.jpg']
    listed = ImageList([bad, tmp_path / 'a'])
    read = ImageListDataset(listed, LoadImage().transform)
    assert [isinstance(read[i][1], str) for i in range(2)] == [True, False]
    assert caught.value.reason == read[0][1]


def test_odd_images_folder_named_like_an_image(tmp_path: Path) -> None:
    _folder(tmp_path, 'a/x.jpg/1.jpg')
    assert _names(_build(tmp_path)) == ['a/x.jpg/1.jpg']
    with pytest.raises(BrokenImageError, match='it is a folder'):
        LoadImage().transform(dict(img_path=str(tmp_path / 'a/x.jpg')))


def test_odd_images_folder_that_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    _folder(tmp_path, 'a/1.jpg', 'b/locked/1.jpg', 'b/2.jpg')
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).rstrip('/').endswith('locked'):
            raise PermissionError(13, 'Permission denied', path)
        return real(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    for read in (_build, ImageList):
        with pytest.raises(OSError, match=r"b/locked' cannot be listed \(Permission denied\)"):
            read(tmp_path)
    assert _names(_build(tmp_path, skip_broken=True)) == ['a/1.jpg', 'b/2.jpg']
    assert lines[-1].endswith('left out: 1 unreadable folders (b/locked)')
    with pytest.raises(PermissionError, match=r"locked' cannot be listed \(Permission denied\)"):
        ImageList(tmp_path / 'b/locked')


def test_odd_images_skip_broken_reads_as_the_pipeline(tmp_path: Path) -> None:
    _write(tmp_path, **{'a/1.tif': saved(FLOATS, 'TIFF'), 'a/2.jpg': JPEG, 'a/3.png': PNG})
    wide = dict(skip_broken=True, pipeline=[dict(type='LoadImage', value_range=(0, 1))])
    assert _names(_build(tmp_path, **wide)) == ['a/1.tif', 'a/2.jpg', 'a/3.png']
    narrow = dict(skip_broken=True, pipeline=[dict(type='LoadImage', max_pixels=40)])
    assert _names(_build(tmp_path, **narrow)) == ['a/3.png']
    assert len(_build(tmp_path, skip_broken=True, pipeline=[])) == 3


def test_odd_images_folder_without_images(tmp_path: Path) -> None:
    _folder(tmp_path, 'a/1.heic', '.hidden/1.jpg')
    message = r'no images in folder .*any format that Pillow reads; found only: 1 with other exte'
    with pytest.raises(ValueError, match=message):
        _build(tmp_path)
    with pytest.raises(ValueError, match=message):
        ImageList(tmp_path)


def test_odd_images_folder_order_is_that_of_mmpretrain(tmp_path: Path) -> None:
    """Classes and files as before, also where a class's name begins with another's."""
    from mmpretrain.datasets import CustomDataset

    names = [f'{c}/{f}' for c in ('a', 'a-b', 'a b', 'B') for f in ('2.jpg', 'x/1.jpg', 'x-1.jpg')]
    ours = _build(_folder(tmp_path, *names))
    theirs = CustomDataset(data_root=str(tmp_path))
    assert [ours.get_data_info(i) for i in range(12)] == [
        theirs.get_data_info(i) for i in range(12)
    ]
    assert ours.metainfo['classes'] == theirs.metainfo['classes']


@register_backend('shelf', prefixes='shelf')
class _Shelf(LocalBackend):
    """A storage with addresses of its own: shelf:///path."""

    def get(self, filepath: str) -> bytes:
        return super().get(filepath.removeprefix('shelf://'))

    def list_dir_or_file(self, dir_path: str, **kwargs) -> Iterator[str]:
        return super().list_dir_or_file(dir_path.removeprefix('shelf://'), **kwargs)


def test_odd_images_in_a_storage_backend(tmp_path: Path, lines: list[str]) -> None:
    _write(tmp_path, **{'a/1.png': PNG, 'b/x.png': b'', 'b/notes.txt': b''})
    _folder(tmp_path, 'b/2.webp', '__MACOSX/1.jpg', 'a/@eaDir/1.jpg')
    dataset = _build(f'shelf://{tmp_path}', skip_broken=True)
    assert _names(dataset) == ['a/1.png', 'b/2.webp']
    assert dataset.metainfo['classes'] == ('a', 'b')
    np.testing.assert_array_equal(np.asarray(dataset[0]['img']), RGB)
    left_out = '1 with other extensions (1 .txt), 2 hidden (__MACOSX, a/@eaDir/1.jpg), 1 broken'
    assert lines[0].endswith(left_out)
