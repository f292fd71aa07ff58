import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrel.datasets import BrokenImageError, image_file
from mmrel.registry import DATASETS

PIPELINE = [dict(type='LoadImage')]


def _build(root: Path, **kwargs) -> object:
    cfg = dict(type='ImageFolder', data_root=str(root), pipeline=PIPELINE)
    return DATASETS.build(dict(cfg, **kwargs))


def _break(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.write_bytes(dict(cut=content[: len(content) // 2], empty=b'', text=b'no image')[how])


def test_sub_folders_are_classes(make_folder: Callable[..., Path]) -> None:
    dataset = _build(make_folder(classes=3, each=4))
    assert len(dataset) == 12
    assert dataset.metainfo['classes'] == ('class0', 'class1', 'class2')
    assert dataset[11]['gt_label'] == 2
    assert dataset[0]['img'].size == (32, 32)


def test_without_labels(make_folder: Callable[..., Path]) -> None:
    dataset = _build(make_folder(classes=2, each=3), with_label=False)
    assert len(dataset) == 6
    assert 'gt_label' not in dataset[0]


@pytest.mark.parametrize('how', ['cut', 'empty', 'text'])
def test_a_broken_image_is_named(make_folder: Callable[..., Path], how: str) -> None:
    root = make_folder()
    bad = root / 'class1' / '003.jpg'
    _break(bad, how)
    dataset = _build(root)
    with pytest.raises(BrokenImageError, match=r'class1/003\.jpg.*skip_broken=True'):
        list(map(dataset.__getitem__, range(len(dataset))))


@pytest.mark.parametrize('how', ['cut', 'empty', 'text'])
def test_skip_broken_leaves_it_out_and_counts_it(
    make_folder: Callable[..., Path], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(image_file, 'print_log', lambda message, **_: logged.append(message))
    root = make_folder(classes=3, each=8)
    _break(root / 'class1' / '003.jpg', how)
    dataset = _build(root, skip_broken=True)
    paths = [dataset[i]['img_path'] for i in range(len(dataset))]
    assert len(paths) == 23
    assert not any(p.endswith('class1/003.jpg') for p in paths)
    assert len(logged) == 1
    assert logged[0].startswith('skipped 1 of 24 images because they cannot be decoded: ')
    assert logged[0].endswith('class1/003.jpg')


def test_all_broken(make_folder: Callable[..., Path]) -> None:
    root = make_folder(classes=1, each=2)
    for path in (root / 'class0').iterdir():
        _break(path, 'text')
    with pytest.raises(BrokenImageError, match='none of the 2 images'):
        _build(root, skip_broken=True)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"nowhere/?' does not exist; set dataset\.data_root"
    ):
        _build(tmp_path / 'nowhere')
    (tmp_path / 'empty' / 'class0').mkdir(parents=True)
    for with_label in (True, False):
        with pytest.raises(ValueError, match=r"no images in folder .*empty/?'"):
            _build(tmp_path / 'empty', with_label=with_label)


def test_tiny_imagenet_layout(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(jpeg, 'JPEG')
    for wnid in ('n02', 'n01'):
        folder = tmp_path / 'train' / wnid / 'images'
        folder.mkdir(parents=True)
        (folder / f'{wnid}_0.JPEG').write_bytes(jpeg.getvalue())
    (tmp_path / 'val' / 'images').mkdir(parents=True)
    (tmp_path / 'val' / 'images' / 'val_0.JPEG').write_bytes(jpeg.getvalue())
    (tmp_path / 'val' / 'val_annotations.txt').write_text('val_0.JPEG\tn02\t0\t0\t9\t9\n')
    cfg = dict(type='TinyImageNet', data_root=str(tmp_path), pipeline=PIPELINE)
    train, val = (DATASETS.build(dict(cfg, split=s)) for s in ('train', 'val'))
    assert [train[i]['gt_label'] for i in range(2)] == [0, 1]
    assert (len(val), val[0]['gt_label']) == (1, 1)
    assert val[0]['img'].size == (64, 64)
    assert val.metainfo['classes'] == train.metainfo['classes'] == ('n01', 'n02')
