from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrel.datasets import draw_label_split, format_label_split, read_label_split
from mmrel.registry import DATASETS


def _folder(root: Path, **kwargs) -> object:
    return DATASETS.build(dict(type='ImageFolder', data_root=str(root), pipeline=[], **kwargs))


def _digits(**kwargs) -> object:
    return DATASETS.build(dict(type='Digits', pipeline=[], **kwargs))


@pytest.fixture
def root(make_folder: Callable[..., Path]) -> Path:
    return make_folder(classes=3, each=10)


def _write(path: Path, *lines: str) -> str:
    path.write_text('\n'.join(lines) + '\n')
    return str(path)


@pytest.mark.parametrize(('percent', 'each'), [(1, 1), (10, 1), (20, 2), (50, 5), (100, 10)])
def test_every_class_gives_the_same_number(root: Path, percent: float, each: int) -> None:
    drawn = draw_label_split(_folder(root), percent, seed=0)
    assert Counter(image.label for image in drawn) == dict.fromkeys(
        ('class0', 'class1', 'class2'), each
    )
    assert len({image.name for image in drawn}) == 3 * each
    assert all(image.name.startswith(image.label + '/') for image in drawn)


@pytest.mark.parametrize('each', [1, 4, 10])
def test_a_number_a_class(root: Path, each: int) -> None:
    drawn = draw_label_split(_folder(root), seed=0, per_class=each)
    assert Counter(image.number for image in drawn) == dict.fromkeys(range(3), each)
    assert drawn == draw_label_split(_folder(root), 10 * each, seed=0)  # 10 images a class
    # Few labels are among many of the same seed.
    assert set(drawn) <= set(draw_label_split(_folder(root), seed=0, per_class=10))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(), 'give exactly one of percent=None and per_class=None'),
        (dict(percent=10, per_class=1), 'give exactly one of percent=10 and per_class=1'),
        (dict(per_class=0), 'per_class=0 must be at least 1'),
        (dict(per_class=11), "11 images per class, but class 'class0' has only 10"),
    ],
)
def test_a_number_a_class_that_cannot_be_drawn(root: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_label_split(_folder(root), **arguments)


def test_the_draw_follows_from_the_seed_not_from_the_order_of_files(root: Path) -> None:
    dataset = _folder(root)
    expected = draw_label_split(dataset, 40, seed=3)
    assert draw_label_split(_folder(root), 40, seed=3) == expected
    assert draw_label_split(dataset, 40, seed=4) != expected
    infos = [dataset.get_data_info(i) for i in range(30)]
    dataset.get_data_info = lambda i: infos[29 - i]
    assert draw_label_split(dataset, 40, seed=3) == expected


@pytest.mark.parametrize('build', [_folder, _digits])
def test_a_data_set_keeps_what_its_list_names(root: Path, tmp_path: Path, build: Callable) -> None:
    arguments = [root] if build is _folder else []
    whole = build(*arguments)
    drawn = draw_label_split(whole, 20, seed=0)
    path = tmp_path / 'split.txt'
    path.write_text(format_label_split(drawn, 'for a test'))
    part = build(*arguments, label_split=str(path))
    assert len(part) == len(drawn)
    named = {image.name: image for image in drawn}
    # The images themselves, not only their number.
    kept = [
        info for i in range(len(whole))
        if _key(info := whole.get_data_info(i), i, root) in named
    ]  # fmt: skip
    for i, info in enumerate(kept):
        ours = part.get_data_info(i)
        assert ours['gt_label'] == info['gt_label']
        if 'img' in info:
            assert (ours['img'] == info['img']).all()
        else:
            assert ours['img_path'] == info['img_path']
    assert whole.CLASSES == part.CLASSES


@pytest.mark.parametrize('build', [_folder, _digits])
def test_what_is_held_out_and_the_rest_are_all(root: Path, tmp_path: Path, build: Callable) -> None:
    arguments = [root] if build is _folder else []
    whole = build(*arguments)
    path = tmp_path / 'split.txt'
    path.write_text(format_label_split(draw_label_split(whole, 20, seed=0), 'for a test'))
    parts = [build(*arguments, **{key: str(path)}) for key in ('label_split', 'without_split')]
    assert len(parts[0]) < len(parts[1])
    images = [
        [str(part.get_data_info(i).get('img_path', part.get_data_info(i).get('img'))) for i in
         range(len(part))]
        for part in (*parts, whole)
    ]  # fmt: skip
    assert not (set(images[0]) & set(images[1])) or build is _digits  # digits may look alike
    assert Counter(images[0]) + Counter(images[1]) == Counter(images[2])
    with pytest.raises(ValueError, match='give only one'):
        build(*arguments, label_split=str(path), without_split=str(path))


def _key(info: dict, row: int, root: Path) -> str:
    return str(Path(info['img_path']).relative_to(root)) if 'img_path' in info else str(row)


def test_a_list_reads_as_it_was_written(root: Path, tmp_path: Path) -> None:
    drawn = draw_label_split(_folder(root), 30, seed=0)
    text = format_label_split(drawn, 'a remark')
    lines = text.splitlines()
    assert lines[:2] == ['# a remark', '# 3 images of each of 3 classes']
    assert lines[2] == f'{drawn[0].name}\t0\tclass0'
    assert list(read_label_split(_write(tmp_path / 'a.txt', text)).values()) == drawn


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (
            ['class0/000.jpg 0 class0'],
            r'line 1: .* must be an image, its class index and its class name',
        ),
        (['# x', 'class0/000.jpg\tzero\tclass0'], 'line 2: .* must be an image'),
        (['class0/000.jpg\t0\tclass0'] * 2, "line 2: 'class0/000.jpg' is listed twice"),
        (['# only a remark'], 'lists no images'),
        (
            ['class0/000.jpg\t0\tclass0', 'class0/001.jpg\t0\tclass0', 'class1/000.jpg\t1\tclass1'],
            'not balanced: 2 images of class 0, 1 of class 1',
        ),
        (['class0/999.jpg\t0\tclass0'], 'lists 1 images that the dataset does not have: class0/9'),
        (
            [f'class{i}/000.jpg\t{2 - i}\tclass{2 - i}' for i in range(3)],
            r"gives 'class0/000\.jpg' class 2 \(class2\), but the dataset gives it class 0",
        ),
        (['class0/000.jpg\t0\tclass0'], 'no images of 2 classes: class1, class2'),
    ],
)
def test_a_list_that_is_wrong_is_named(
    root: Path, tmp_path: Path, lines: list[str], message: str
) -> None:
    path = _write(tmp_path / 'split.txt', *lines)
    with pytest.raises(ValueError, match=message):
        _folder(root, label_split=path)


def test_a_list_may_be_unbalanced_where_that_is_meant(root: Path, tmp_path: Path) -> None:
    lines = [f'class{i}/{j:03}.jpg\t{i}\tclass{i}' for i in range(3) for j in range(i + 1)]
    path = _write(tmp_path / 'split.txt', *lines)
    with pytest.raises(ValueError, match='balanced=False'):
        _folder(root, label_split=path)
    part = _folder(root, label_split=path, balanced=False)
    assert [part.get_data_info(i)['gt_label'] for i in range(len(part))] == [0, 1, 1, 2, 2, 2]
    assert len(_folder(root, without_split=path)) == len(_folder(root)) - 6


def test_a_list_of_a_folder_with_more_classes_is_read_by_names(root: Path, tmp_path: Path) -> None:
    """There class1 was number 7."""
    lines = [f'class{i}/{j:03}.jpg\t{(5, 7, 9)[i]}\tclass{i}' for i in range(3) for j in range(2)]
    path = _write(tmp_path / 'split.txt', *lines)
    part = _folder(root, label_split=path)
    assert [part.get_data_info(i)['gt_label'] for i in range(len(part))] == [0, 0, 1, 1, 2, 2]
    assert len(_folder(root, without_split=path)) == 30 - 6
    # Without names the numbers count.
    path = _write(
        tmp_path / 'numbers.txt', *(f'class{i}/000.jpg\t{2 - i}\t{2 - i}' for i in range(3))
    )
    with pytest.raises(
        ValueError, match=r'class 2 \(2\), but the dataset gives it class 0 \(class0\)'
    ):
        _folder(root, label_split=path)


def test_a_list_that_is_not_there(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no/list\.txt.*make_label_split\.py'):
        _folder(root, label_split='no/list.txt')


@pytest.mark.parametrize('percent', [0, -1, 101])
def test_shares_out_of_range(root: Path, percent: float) -> None:
    with pytest.raises(ValueError, match=f'percent={percent}'):
        draw_label_split(_folder(root), percent, seed=0)


def test_a_class_with_too_few_images(root: Path) -> None:
    for i in range(8):
        (root / 'class1' / f'{i:03}.jpg').unlink()
    with pytest.raises(ValueError, match=r"4 images per class, but class 'class1' has only 2"):
        draw_label_split(_folder(root), 50, seed=0)


def test_images_without_classes(root: Path) -> None:
    with pytest.raises(ValueError, match='has no class'):
        draw_label_split(_folder(root, with_label=False), 10, seed=0)
