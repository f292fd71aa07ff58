"""Samples are the same with and without stored pixels, and the store follows its files."""

import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from PIL import Image
from torch.utils.data import DataLoader

from mmrel.datasets import (
    BrokenImageError,
    EpochSampler,
    ImageFolder,
    KNNMultiCropDataset,
    SampleIndex,
    decoded_cache,
    image_file,
)
from mmrel.datasets.decoded_cache import info_with_pixels
from mmrel.registry import DATASETS, TRANSFORMS
from tests.commands import ROOT

VIEWS = Config.fromfile(ROOT / 'configs/_base_/datasets/two_views_32px.py').train_pipeline


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stores."""
    monkeypatch.setenv('MMREL_HOME', str(tmp_path / 'home'))
    return tmp_path / 'home' / 'decoded'


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are decoded in this process."""
    files: list[str] = []
    read = image_file.ImageReader.read

    def noted(self: image_file.ImageReader, path: str, **kwargs: bool) -> Image.Image:
        files.append(path)
        return read(self, path, **kwargs)

    monkeypatch.setattr(image_file.ImageReader, 'read', noted)
    return files


def _build(root: Path, cache: object = True, pipeline: list | None = None, **kwargs) -> object:
    cfg = dict(type='ImageFolder', data_root=str(root), pipeline=pipeline or VIEWS, cache=cache)
    return DATASETS.build(dict(cfg, **kwargs))


def _pixels(dataset: object, row: int) -> np.ndarray:
    return np.asarray(dataset[row]['img'])


def _views(dataset: object, workers: int, start: int = 0) -> list[torch.Tensor]:
    sampler = EpochSampler(dataset, seed=3)
    sampler.set_epoch(1)
    sampler.start_at(start)
    loader = DataLoader(
        dataset, 8, sampler=sampler, num_workers=workers, collate_fn=default_collate
    )
    batches = list(loader)
    labels = torch.cat([sample.gt_label for batch in batches for sample in batch['data_samples']])
    return [
        *(torch.cat(view) for view in zip(*(b['inputs'] for b in batches), strict=True)),
        labels,
    ]


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_views_are_the_same_with_and_without(images: Path, stores: Path, workers: int) -> None:
    expected = _views(_build(images, False), 0)
    for _ in range(2):  # filled, then read
        found = _views(_build(images), workers)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    resumed = _views(_build(images), workers, start=16)
    assert all(torch.equal(a, b[16:]) for a, b in zip(resumed, expected, strict=True))


def test_each_image_is_decoded_once_for_all_sets(
    images: Path, stores: Path, decoded: list[str]
) -> None:
    train = _build(images)
    for _ in range(2):
        [train[row] for row in range(len(train))]
    bank = _build(images, pipeline=[dict(type='LoadImage'), dict(type='CentralView', size=32)])
    part = _build(images, pipeline=[dict(type='LoadImage')], indices=[40, 2])
    assert np.array_equal(_pixels(part, 0), _pixels(bank, 40))
    assert len(decoded) == len(set(decoded)) == 48
    assert len(list(stores.glob('*.decoded'))) == 1
    unlabeled = _build(images, pipeline=[dict(type='LoadImage')], with_label=False)
    assert len(unlabeled) == 48
    _pixels(unlabeled, 0)
    assert len(decoded) == 48  # the same files, so the same store


def test_a_changed_file_is_decoded_again(make_folder: Callable[..., Path], stores: Path) -> None:
    root = make_folder()
    load = [dict(type='LoadImage')]
    before = _pixels(_build(root, pipeline=load), 3)
    file = sorted((root / 'class0').iterdir())[3]
    Image.new('RGB', (20, 30), 'red').save(file)
    os.utime(file, ns=(1, 1))
    dataset = _build(root, pipeline=load)
    for _ in range(2):
        assert _pixels(dataset, 3).shape == (30, 20, 3)
    other = file.with_name('003.png')
    Image.fromarray(before).save(other)
    named = {
        Path(s['img_path']).name: s['img']
        for s in map(_build(root, pipeline=load).__getitem__, range(5))
    }
    np.testing.assert_array_equal(np.asarray(named['003.png']), before)
    assert named['003.jpg'].size == (20, 30)


def test_odd_images_are_stored_as_they_are_read(tmp_path: Path, stores: Path) -> None:
    root = tmp_path / 'odd'
    root.mkdir()
    draw = np.random.default_rng(0)
    photo = Image.fromarray(draw.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[274] = 6
    photo.save(root / 'a.jpg', exif=exif)
    clear = photo.convert('RGBA')
    clear.putalpha(100)
    clear.save(root / 'b.png')
    Image.fromarray(draw.integers(0, 65536, (9, 7), dtype=np.uint16)).save(root / 'c.png')
    load = [dict(type='LoadImage')]
    plain = _build(root, False, load, with_label=False)
    stored = _build(root, True, load, with_label=False)
    for _ in range(2):
        for row in range(3):
            np.testing.assert_array_equal(_pixels(stored, row), _pixels(plain, row))
    # The background is part of what is stored.
    black = _build(root, True, [dict(type='LoadImage', background='black')], with_label=False)
    assert _pixels(black, 1).mean() < _pixels(plain, 1).mean() - 50


def test_crops_of_neighbors_are_the_same(images: Path, stores: Path, decoded: list[str]) -> None:
    crop = [dict(type='LoadImage'), dict(type='WeakView', size=16), dict(type='PackInputs')]
    plain, stored = (
        KNNMultiCropDataset(_build(images, cache), 2, 2, [TRANSFORMS.build(step) for step in crop])
        for cache in (False, True)
    )
    for dataset in (plain, stored):
        dataset.set_neighbors(torch.arange(96).reshape(48, 2) % 48)
    for _ in range(2):
        for row in range(4):
            index = SampleIndex(row, 5, 6)
            pairs = zip(plain[index]['inputs'], stored[index]['inputs'], strict=True)
            assert all(torch.equal(a, b) for a, b in pairs)
    decoded.clear()
    stored[SampleIndex(3, 5, 6)]
    assert decoded == []


def test_another_pipeline_gets_pixels_only_if_it_decodes_alike(images: Path, stores: Path) -> None:
    dataset = _build(images)
    load = dict(type='LoadImage')
    pipelines = {
        True: [load], False: [dict(load, background='black')],
    }  # fmt: skip
    for wanted, steps in pipelines.items():
        pipeline = Compose([TRANSFORMS.build(step) for step in steps])
        assert ('img' in info_with_pixels(dataset, 0, pipeline)) is wanted
    assert set(dataset.get_data_info(0)) == {'img_path', 'gt_label', 'sample_idx'}


def test_a_broken_file_is_named_as_without(make_folder: Callable[..., Path], stores: Path) -> None:
    root = make_folder()
    (root / 'class1' / '003.jpg').write_bytes(b'no image')
    dataset = _build(root)
    with pytest.raises(BrokenImageError, match=r'class1/003\.jpg.*skip_broken=True'):
        [dataset[row] for row in range(len(dataset))]
    whole = _build(root, skip_broken=True)
    assert len([whole[row] for row in range(len(whole))]) == 23


def test_auto_stores_large_sets_of_small_images(
    make_folder: Callable[..., Path], stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, large = make_folder(), make_folder('large', classes=1, px=97)
    monkeypatch.setattr(decoded_cache, '_LEAST', 25)
    _build(root, 'auto')
    monkeypatch.setattr(decoded_cache, '_LEAST', 8)
    _build(large, 'auto')
    monkeypatch.setattr(decoded_cache, '_MOST_MB', 24 * 3072 / 2**20 - 1e-6)
    _build(root, 'auto')
    _build(root, False)
    assert not stores.exists()
    monkeypatch.setattr(decoded_cache, '_MOST_MB', 24 * 3072 / 2**20)
    _build(root, 'auto')
    assert len(list(stores.glob('*.decoded'))) == 1
    assert _build(large)[0]['inputs'][0].shape == (3, 32, 32)  # True: any size
    assert len(list(stores.glob('*.decoded'))) == 2


def test_auto_leaves_a_single_large_image_in_its_file(
    make_folder: Callable[..., Path], stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(classes=1, each=60)
    Image.new('RGB', (300, 200)).save(root / 'class0' / '001.jpg')  # not among the probed
    monkeypatch.setattr(decoded_cache, '_LEAST', 1)
    monkeypatch.setattr(decoded_cache, '_PROBED', 30)
    dataset = _build(root, 'auto', [dict(type='LoadImage')])
    for _ in range(2):
        assert dataset[1]['img'].size == (300, 200)
    assert dataset._store.get(1) is None
    dataset[2]
    assert dataset._store.get(2) is not None


def test_a_full_disk_is_a_message(
    images: Path, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(decoded_cache, 'print_log', lambda message, **_: logged.append(message))
    monkeypatch.setattr(decoded_cache, '_LEAST', 1)

    def full(*_: int) -> None:
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'posix_fallocate', full)
        wanted = (
            r"takes 0 MB in .*decoded'?: No space left on device; free disk space, set MMREL_HOME"
        )
        with pytest.raises(OSError, match=wanted):
            _build(images)
        assert len(_build(images, 'auto')[0]['inputs']) == 2
    assert len(logged) == 1
    assert logged[0].endswith('dataset.cache=False (the run continues)')
    usage = type('usage', (), dict(free=2 * 48 * 3072 - 1))
    monkeypatch.setattr(decoded_cache.shutil, 'disk_usage', lambda _: usage)
    _build(images, 'auto')
    assert 'only 0 MB are free' in logged[1]


def test_a_started_worker_opens_the_store_itself(
    images: Path, stores: Path, decoded: list[str]
) -> None:
    dataset = _build(images)
    dataset[5]
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy[5]['inputs'][0].shape == (3, 32, 32)
    assert len(decoded) == 1
    os.remove(dataset._store.path)
    assert pickle.loads(pickle.dumps(dataset))[5]['inputs'][0].shape == (3, 32, 32)
    assert len(decoded) == 2


def test_wrong_values(images: Path, stores: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset\.cache='yes' must be 'auto', True or False"):
        _build(images, 'yes')
    pipeline = [dict(type='mmpretrain.LoadImageFromFile')]
    for steps in (pipeline, [dict(type='LoadImage', draft=True)]):
        with pytest.raises(ValueError, match=r'dataset\.cache=True needs local files and a pipel'):
            _build(images, pipeline=steps)
    assert _build(images, 'auto', pipeline)[0]['img'].shape == (32, 32, 3)


class _Chosen(ImageFolder):
    """Reads the next image of the list, and says so."""

    def get_data_info(self, idx: int) -> dict:
        info = super().get_data_info(idx)
        return dict(info, img_path=super().get_data_info((idx + 1) % len(self))['img_path'], mine=1)


class _Renamed(ImageFolder):
    """Reads other files than it has found."""

    def load_data_list(self) -> list[dict]:
        samples = super().load_data_list()
        for sample in samples:
            sample['img_path'] = sample['img_path'].replace('class0', 'class1')
        return samples


@pytest.mark.parametrize('kind', [_Chosen, _Renamed])
def test_a_subclass_chooses_the_file(
    images: Path, stores: Path, mmrel_scope: None, kind: type[ImageFolder]
) -> None:
    load = [dict(type='LoadImage')]
    plain = _build(images, False, load)
    dataset = kind(data_root=str(images), pipeline=load, cache=True)
    row = 1 if kind is _Chosen else 16
    for _ in range(2):
        for data in (dataset[0], dataset.__getitems__([0])[0]):
            np.testing.assert_array_equal(np.asarray(data['img']), _pixels(plain, row))
            assert data.get('mine') == (1 if kind is _Chosen else None)
    # Another set of the same files is not given those pixels.
    np.testing.assert_array_equal(_pixels(_build(images, True, load), 0), _pixels(plain, 0))


class _OtherFile(BaseTransform):
    """Reads another file than the sample's."""

    def transform(self, results: dict) -> dict:
        return dict(results, img_path=results['img_path'].replace('class0', 'class1'))


def test_a_step_before_load_image_chooses_the_file(images: Path, stores: Path) -> None:
    load = dict(type='LoadImage')
    dataset = _build(images, 'auto', [dict(type=_OtherFile), load])
    assert dataset._store_reader is None
    np.testing.assert_array_equal(_pixels(dataset, 0), _pixels(_build(images, False, [load]), 16))
    with pytest.raises(ValueError, match='a pipeline that begins with LoadImage'):
        _build(images, pipeline=[dict(type=_OtherFile), load])


def test_a_named_pipe_does_not_block_the_start(
    make_folder: Callable[..., Path], stores: Path
) -> None:
    root = make_folder()
    (root / 'class0' / '003.jpg').unlink()
    os.mkfifo(root / 'class0' / '003.jpg')
    built: list = []
    thread = threading.Thread(target=lambda: built.append(_build(root)), daemon=True)
    thread.start()
    thread.join(20)
    if not built:  # a writer ends the wait
        os.close(os.open(root / 'class0' / '003.jpg', os.O_WRONLY | os.O_NONBLOCK))
        pytest.fail('the named pipe blocks')
    (dataset,) = built
    with pytest.raises(BrokenImageError, match=r'003\.jpg.*a named pipe'):
        dataset[3]


def test_without_any_image_nothing_is_created(tmp_path: Path, stores: Path) -> None:
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / '1.png').write_bytes(b'no image')
    with pytest.raises(BrokenImageError, match=r'1\.png'):
        _build(tmp_path / 'a', with_label=False)[0]
    assert not list(stores.glob('*'))


def test_zero_is_false(images: Path, stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded_cache, '_LEAST', 1)
    _build(images, 0)
    assert not stores.exists()
    _build(images, 1)
    assert stores.exists()


def test_another_version_decodes_again(
    images: Path, stores: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ('1', '2', '2'):
        monkeypatch.setattr(decoded_cache, '__version__', version)
        _build(images)[0]
    assert len(decoded) == 2


def test_large_images_cost_no_look_at_all_files(
    make_folder: Callable[..., Path], stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder('large', classes=1, each=40, px=97)
    looked: list[str] = []
    reader = image_file.ImageReader
    size = reader.size
    monkeypatch.setattr(reader, 'size', lambda self, path: looked.append(path) or size(self, path))
    monkeypatch.setattr(decoded_cache, '_state', looked.append)
    monkeypatch.setattr(decoded_cache, '_LEAST', 1)
    monkeypatch.setattr(decoded_cache, '_PROBED', 4)
    _build(root, 'auto')
    assert len(looked) == 4


def test_a_folder_without_permission_is_a_message(
    images: Path, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(os, 'makedirs', refused)
    wanted = 'Permission denied; set MMREL_HOME to a folder that you can write to, or set dataset'
    with pytest.raises(OSError, match=wanted):
        _build(images)


def test_all_spellings_of_a_folder_share_a_store(
    make_folder: Callable[..., Path],
    stores: Path,
    decoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = make_folder('spelled', classes=2, each=2)
    monkeypatch.chdir(root.parent)
    for spelling in (root, root.name, f'{root.name}/', f'./{root.name}', f'{root}/'):
        dataset = _build(Path('x'), data_root=str(spelling))
        for row in range(len(dataset)):
            dataset[row]
    assert len(list(stores.glob('*.decoded'))) == 1
    assert len(decoded) == 4
