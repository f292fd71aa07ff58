"""Classes that are compared by name."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from torch.utils.data import Dataset

from mmrel.datasets import SemiSupervisedDataset
from mmrel.datasets.class_names import class_names, count_classes, match_classes
from mmrel.registry import DATASETS

NAMES = ('class0', 'class1', 'class2')


def _folder(root: Path, **kwargs) -> Dataset:
    return DATASETS.build(dict(type='ImageFolder', data_root=str(root), pipeline=[], **kwargs))


def _names_by_label(dataset: Dataset) -> dict[str, int]:
    """The number that the images of each folder have."""
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return {Path(info['img_path']).parent.name: info['gt_label'] for info in infos}


def _match(dataset: Dataset, reference: tuple[str, ...], **kwargs) -> bool:
    return match_classes(dataset, reference, 'the test set', 'the training set', **kwargs)


@pytest.fixture
def root(make_folder: Callable[..., Path]) -> Path:
    return make_folder(classes=3, each=2, px=8)


@pytest.mark.parametrize('serialize_data', [True, False])
def test_a_folder_that_lacks_a_class_is_numbered_as_the_others(
    root: Path, serialize_data: bool
) -> None:
    dataset = _folder(root, serialize_data=serialize_data)
    before = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert _match(dataset, ('aaa', 'class0', 'bbb', 'class1', 'class2'))
    assert _names_by_label(dataset) == dict(class0=1, class1=3, class2=4)
    for i, info in enumerate(before):
        assert dataset.get_data_info(i) == dict(info, gt_label=[1, 3, 4][info['gt_label']])
    assert class_names(dataset) == dataset.CLASSES == ('aaa', 'class0', 'bbb', 'class1', 'class2')
    assert pickle.loads(pickle.dumps(dataset)).get_data_info(5) == dataset.get_data_info(5)
    # Again, and back to an order of the first classes.
    assert not _match(dataset, ('aaa', 'class0', 'bbb', 'class1', 'class2'))


def test_equal_classes_change_nothing(root: Path) -> None:
    dataset = _folder(root)
    data = dataset.data_bytes
    assert not _match(dataset, NAMES)
    assert dataset.data_bytes is data


def test_images_in_arrays_keep_their_images() -> None:
    build = dict(type='Digits', split='test', pipeline=[])
    plain, mapped = DATASETS.build(build), DATASETS.build(build)
    assert _match(mapped, tuple('9876543210'))
    for i in (0, 100, 359):
        ours, theirs = mapped.get_data_info(i), plain.get_data_info(i)
        assert ours['gt_label'] == 9 - theirs['gt_label']
        np.testing.assert_array_equal(ours['img'], theirs['img'])


@pytest.mark.parametrize('wrap', [lambda d: RepeatDataset(d, 2), lambda d: ConcatDataset([d, d])])
def test_wrappers_are_numbered_inside(root: Path, wrap: Callable) -> None:
    dataset = wrap(_folder(root))
    assert _match(dataset, NAMES[::-1])
    assert class_names(dataset) == NAMES[::-1]
    assert _names_by_label(dataset) == dict(class0=2, class1=1, class2=0)


def test_labeled_and_unlabeled_images_are_numbered_alike(make_folder: Callable, root: Path) -> None:
    part = make_folder('part', classes=2, each=2, px=8)
    dataset = SemiSupervisedDataset(_folder(root, classes=NAMES[::-1]), _folder(part))
    assert _names_by_label(dataset.unlabeled) == dict(class0=2, class1=1)
    assert _match(dataset, NAMES)
    for inside in (dataset.labeled, dataset.unlabeled):
        numbers = _names_by_label(inside)
        assert numbers == {name: int(name[-1]) for name in numbers}


def test_others_are_refused_with_what_differs(root: Path) -> None:
    dataset = _folder(root)
    with pytest.raises(ValueError, match='names differ') as error:
        _match(dataset, ('class0', 'class1', *map('k{}'.format, range(20))))
    assert '\n' not in str(error.value)
    assert (
        'the test set has 3 classes and the training set 22, and their names differ (only the '
        "test set: 'class2'; only the training set: 'k0', 'k1', 'k2', 'k3', 'k4', ... (20))"
    ) in str(error.value)
    assert _names_by_label(dataset) == dict(class0=0, class1=1, class2=2)


def test_a_part_is_refused_where_all_are_needed(root: Path) -> None:
    with pytest.raises(ValueError, match="only the training set: 'class3'"):
        _match(_folder(root), (*NAMES, 'class3'), subset=False)


def test_the_same_name_twice_has_no_number(root: Path) -> None:
    with pytest.raises(ValueError, match='some classes share a name'):
        _match(_folder(root, classes=('a', 'a', 'b')), ('b', 'a'))


def test_a_data_set_that_cannot_be_numbered_is_refused() -> None:
    class Plain(Dataset):
        metainfo = dict(classes=('b', 'a'))

    with pytest.raises(TypeError, match=r"Plain.*order its classes as 'a', 'b'"):
        _match(Plain(), ('a', 'b'))


def test_names_in_another_order_than_the_folders_are_followed(root: Path) -> None:
    dataset = _folder(root, classes=['class2', 'class0', 'class1'])
    assert _names_by_label(dataset) == dict(class2=0, class0=1, class1=2)
    # Other names are the folders' in their order, as mmpretrain has it.
    assert _names_by_label(_folder(root, classes=['x', 'y', 'z'])) == dict(
        class0=0, class1=1, class2=2
    )


def test_numbers_alone_are_counted(root: Path, tmp_path: Path) -> None:
    lines = [f'class{c}/000.jpg {c}' for c in (0, 2)]
    (tmp_path / 'list.txt').write_text('\n'.join(lines))
    dataset = _folder(root, ann_file=str(tmp_path / 'list.txt'))
    assert (class_names(dataset), count_classes(dataset)) == (None, 3)
    assert not _match(dataset, ('a', 'b', 'c'))
    assert count_classes(_folder(root, with_label=False)) is None
    assert count_classes(_folder(root)) == 3
