from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mmrel.registry import DATASETS


def _digits(split: str) -> object:
    return DATASETS.build(dict(type='Digits', split=split, pipeline=[dict(type='LoadImage')]))


def test_digits_are_scikit_learns_split_once_by_class() -> None:
    train, test = _digits('train'), _digits('test')
    assert (len(train), len(test)) == (1437, 360)
    labels = np.array(
        [d.get_data_info(i)['gt_label'] for d in (train, test) for i in range(len(d))]
    )
    np.testing.assert_array_equal(np.bincount(labels), np.bincount(load_digits().target))
    counts = np.bincount(labels[1437:])
    assert counts.min() >= 34
    assert counts.max() <= 38


def test_digits_are_enlarged_not_changed() -> None:
    sample = _digits('train')[0]
    img = np.asarray(sample['img'], float)
    assert img.shape == (32, 32, 3)
    small = img[..., 0].reshape(8, 4, 8, 4).mean((1, 3)) / 255 * 16
    originals, labels = load_digits(return_X_y=True)
    error = np.abs(originals.reshape(-1, 8, 8) - small).mean((1, 2))
    assert labels[error.argmin()] == sample['gt_label']
    assert error.min() < 1


def test_a_part_keeps_images_and_labels_together() -> None:
    whole = _digits('train')
    part = DATASETS.build(
        dict(type='Digits', indices=[5, 100, 200], pipeline=[dict(type='LoadImage')])
    )
    for i, row in enumerate((5, 100, 200)):
        assert part[i]['gt_label'] == whole[row]['gt_label']
        np.testing.assert_array_equal(np.asarray(part[i]['img']), np.asarray(whole[row]['img']))


def test_stl10_says_what_to_do_when_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'dataset\.download=True'):
        DATASETS.build(dict(type='STL10', data_root=str(tmp_path)))


def test_stl10_reads_torchvisions_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import STL10

    folder = tmp_path / 'stl10_binary'
    folder.mkdir()
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (4, 3, 96, 96), dtype=np.uint8)
    # The file is column-major.
    (folder / 'test_X.bin').write_bytes(images.transpose(0, 1, 3, 2).tobytes())
    (folder / 'test_y.bin').write_bytes(bytes([1, 10, 3, 4]))
    (folder / 'class_names.txt').write_text('\n'.join('abcdefghij'))
    monkeypatch.setattr(STL10, '_check_integrity', lambda self: True)
    cfg = dict(type='STL10', data_root=str(tmp_path), split='test')
    dataset = DATASETS.build(dict(cfg, pipeline=[dict(type='LoadImage')]))
    sample = dataset[1]
    assert sample['gt_label'] == 9
    np.testing.assert_array_equal(np.asarray(sample['img']), images[1].transpose(1, 2, 0))


@pytest.mark.parametrize('kind', ['Digits', 'TinyImageNet'])
def test_wrong_split(kind: str) -> None:
    with pytest.raises(ValueError, match=r"dataset\.split='valid'"):
        DATASETS.build(dict(type=kind, data_root='.', split='valid'))
