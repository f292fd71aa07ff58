"""Batches of labeled and unlabeled images."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader

from mmrel.datasets import SemiSupervisedDataset, SemiSupervisedSampler, semi_supervised_collate
from mmrel.datasets.transforms.draws import ColorDraw, color_row
from mmrel.registry import DATASETS
from tests.distributed import run_ranks

_PACK = [dict(type='PackInputs')]
_ONE = [dict(type='LoadImage'), dict(type='WeakView', size=8), *_PACK]
_TWO = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[[dict(type='ContrastiveView', size=8)], [dict(type='WeakView', size=8)]],
    ),
    *_PACK,
]


def _folder(root: Path, pipeline: list, **kwargs) -> dict:
    return dict(type='ImageFolder', data_root=str(root), pipeline=pipeline, **kwargs)


def _split(path: Path, names: list[str]) -> str:
    path.write_text(''.join(f'{n}\t{n[5]}\t{n[:6]}\n' for n in names))
    return str(path)


@pytest.fixture
def dataset(make_folder: Callable[..., Path], tmp_path: Path) -> SemiSupervisedDataset:
    """Of 3 classes with 8 images each 2 have labels."""
    root = make_folder(classes=3, each=8, px=16)
    path = _split(tmp_path / 'split.txt', [f'class{c}/00{i}.jpg' for c in range(3) for i in (1, 6)])
    return DATASETS.build(
        dict(
            type='SemiSupervisedDataset',
            labeled=_folder(root, _ONE, label_split=path),
            unlabeled=_folder(root, _TWO),
        )
    )


def _sizes(labeled: int, unlabeled: int) -> SimpleNamespace:
    """All that the sampler looks at."""
    return SimpleNamespace(labeled=range(labeled), unlabeled=range(unlabeled))


def _batches(sampler: SemiSupervisedSampler, number: int | None = None) -> list[list[int]]:
    indices = list(sampler if number is None else islice(sampler, number * sampler.batch_size))
    size = sampler.batch_size
    return [indices[i : i + size] for i in range(0, len(indices), size)]


def _loader(dataset: SemiSupervisedDataset, workers: int = 0, epoch: int = 0) -> DataLoader:
    sampler = SemiSupervisedSampler(dataset, labeled_batch=2, mu=3, seed=0)
    sampler.set_epoch(epoch)
    return DataLoader(
        dataset, sampler.batch_size, sampler=sampler, num_workers=workers,
        collate_fn=semi_supervised_collate,
    )  # fmt: skip


def test_a_batch_has_labeled_images_first_with_their_index(dataset: SemiSupervisedDataset) -> None:
    batches = list(_loader(dataset))
    assert len(batches) == 24 // 6
    for batch in batches:
        labeled, strong, weak = batch['inputs']
        assert (labeled.shape, strong.shape, weak.shape) == ((2, 3, 8, 8), *[(6, 3, 8, 8)] * 2)
        for sample in batch['data_samples'][:2]:
            info = dataset.labeled.get_data_info(sample.sample_idx)
            assert sample.img_path == info['img_path']
            assert sample.gt_label.item() == info['gt_label'] == sample.sample_idx // 2
            assert sample.img_path.endswith(('001.jpg', '006.jpg'))
    seen = Counter(s.sample_idx for b in batches for s in b['data_samples'][2:])
    assert seen == dict.fromkeys(range(24), 1)
    seen = Counter(s.sample_idx for b in batches for s in b['data_samples'][:2])
    assert len(seen) == 6  # 8 draws: once round, and the first ones of the next
    assert max(seen.values()) == 2


def test_views_do_not_depend_on_workers_and_differ_when_an_image_comes_again(
    dataset: SemiSupervisedDataset,
) -> None:
    views: dict[int, list] = {}
    for alone, shared in zip(_loader(dataset), _loader(dataset, workers=2), strict=True):
        torch.testing.assert_close(shared['inputs'], alone['inputs'], rtol=0, atol=0)
        for sample, view in zip(alone['data_samples'], alone['inputs'][0], strict=False):
            views.setdefault(sample.sample_idx, []).append(view)
    twice = [pair for pair in views.values() if len(pair) == 2]
    assert twice
    assert not any(torch.equal(*pair) for pair in twice)
    later = next(iter(_loader(dataset, epoch=1)))
    assert not torch.equal(later['inputs'][1], next(iter(_loader(dataset)))['inputs'][1])


@pytest.mark.parametrize(
    ('labeled', 'unlabeled', 'batches'), [(10, 60, 7), (40, 16, 10), (7, 8, 1)]
)
def test_an_epoch_is_a_pass_through_the_set_that_gives_more_batches(
    labeled: int, unlabeled: int, batches: int
) -> None:
    sampler = SemiSupervisedSampler(_sizes(labeled, unlabeled), labeled_batch=4, mu=2, seed=0)
    found = _batches(sampler)
    assert len(found) == len(sampler) // 12 == batches
    for first, part, size in ((0, slice(0, 4), labeled), (labeled, slice(4, 12), unlabeled)):
        stream = [int(i) - first for batch in found for i in batch[part]]
        assert all(0 <= i < size for i in stream)
        for start in range(0, len(stream) - size + 1, size):  # every pass is a permutation
            assert sorted(stream[start : start + size]) == list(range(size))
        passes = [stream[i : i + size] for i in range(0, len(stream) - size + 1, size)]
        assert len({tuple(p) for p in passes}) == len(passes)


def test_orders_follow_from_seed_and_epoch() -> None:
    def draw(seed: int, epoch: int) -> list:
        sampler = SemiSupervisedSampler(_sizes(10, 60), labeled_batch=4, mu=2, seed=seed)
        sampler.set_epoch(epoch)
        return _batches(sampler)

    assert draw(0, 0) == draw(0, 0)
    different = [draw(0, 0), draw(0, 1), draw(1, 0)]
    assert all(a != b for i, a in enumerate(different) for b in different[:i])


def test_an_image_has_a_visit_of_its_own_each_time() -> None:
    visits = []
    for epoch in range(3):
        sampler = SemiSupervisedSampler(_sizes(5, 40), labeled_batch=2, mu=2, seed=0)
        sampler.set_epoch(epoch)
        visits += [(int(i), i.epoch) for i in sampler]
    assert len(set(visits)) == len(visits)


def _on_rank(rank: int) -> list[list[int]]:
    sampler = SemiSupervisedSampler(_sizes(10, 60), labeled_batch=2, mu=2, seed=3)
    return [[int(i) for i in batch] for batch in _batches(sampler)]


def test_two_ranks_share_the_batches_of_one() -> None:
    alone = _batches(SemiSupervisedSampler(_sizes(10, 60), labeled_batch=4, mu=2, seed=3))
    zero, one = run_ranks(_on_rank, 2)
    assert len(zero) == len(one) == len(alone)
    for a, b, whole in zip(zero, one, alone, strict=True):
        assert a[:2] + b[:2] == whole[:4]
        assert a[2:] + b[2:] == whole[4:]


def test_without_end_it_is_one_epoch_after_the_other() -> None:
    endless = SemiSupervisedSampler(_sizes(10, 60), labeled_batch=4, mu=2, seed=0, infinite=True)
    expected = []
    for epoch in range(3):
        sampler = SemiSupervisedSampler(_sizes(10, 60), labeled_batch=4, mu=2, seed=0)
        sampler.set_epoch(epoch)
        expected += _batches(sampler)
    assert _batches(endless, 21) == expected
    for done in (3, 7, 12):  # a run that was interrupted after so many steps
        resumed = SemiSupervisedSampler(
            _sizes(10, 60), labeled_batch=4, mu=2, seed=0, infinite=True
        )
        resumed.skip(done * resumed.batch_size)
        assert _batches(resumed, 21 - done) == expected[done:]


def test_a_set_that_is_smaller_than_its_part_of_the_batch_is_refused() -> None:
    for sizes, message in (
        ((3, 60), r'the labeled set has 3 images, fewer than the 4 in a global batch'),
        ((10, 7), r'the unlabeled set has 7 images, fewer than the 8 in a global batch'),
    ):
        with pytest.raises(ValueError, match=rf'{message}.*sampler\.allow_repeats=True'):
            SemiSupervisedSampler(_sizes(*sizes), labeled_batch=4, mu=2, seed=0)
    few = SemiSupervisedSampler(_sizes(3, 60), labeled_batch=4, mu=2, seed=0, allow_repeats=True)
    for batch in _batches(few):
        assert max(Counter(map(int, batch[:4])).values()) == 2
    with pytest.raises(ValueError, match='the labeled set has 0 images'):
        SemiSupervisedSampler(_sizes(0, 60), labeled_batch=4, mu=2, seed=0, allow_repeats=True)


@pytest.mark.parametrize('key', ['labeled_batch', 'mu'])
def test_sampler_config_errors(key: str) -> None:
    with pytest.raises(ValueError, match=rf'sampler\.{key}=0'):
        SemiSupervisedSampler(_sizes(10, 60), **{'labeled_batch': 2, 'mu': 2, key: 0})


def _build(labeled: dict, unlabeled: dict) -> SemiSupervisedDataset:
    return SemiSupervisedDataset(labeled, unlabeled)


def test_a_class_without_a_label_is_named(make_folder: Callable[..., Path]) -> None:
    root = make_folder(classes=3, each=2)
    for image in (root / 'class1').iterdir():
        image.unlink()
    with pytest.raises(ValueError, match='no images of 1 of 3 classes: class1; every class needs'):
        _build(_folder(root, _ONE), _folder(root, _TWO))


def test_labels_are_needed_where_they_shall_be(make_folder: Callable[..., Path]) -> None:
    root = make_folder(classes=2, each=2)
    with pytest.raises(ValueError, match=r'dataset\.labeled has an image without a class'):
        _build(_folder(root, _ONE, with_label=False), _folder(root, _TWO))


def test_a_list_with_images_that_the_folder_lacks_is_refused(
    make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    root = make_folder(classes=2, each=2)
    path = _split(tmp_path / 'split.txt', ['class0/000.jpg', 'class1/777.jpg'])
    with pytest.raises(ValueError, match=r'lists 1 images that the dataset does not have: class1'):
        _build(_folder(root, _ONE, label_split=path), _folder(root, _TWO))


def test_unlabeled_images_need_no_classes_but_not_others(make_folder: Callable[..., Path]) -> None:
    root, other = make_folder('a', classes=2, each=2), make_folder('b', classes=3, each=2)
    with pytest.raises(
        ValueError, match=r"only dataset\.unlabeled: 'class2'.*dataset\.unlabeled\.with_label=False"
    ):
        _build(_folder(root, _ONE), _folder(other, _TWO))
    plain = _build(_folder(root, _ONE), _folder(other, _TWO, with_label=False))
    assert len(plain) == 4 + 6
    assert 'gt_label' not in plain[4]['data_samples']


@pytest.mark.parametrize(
    ('labeled', 'unlabeled', 'index', 'message'),
    [
        (_TWO, _TWO, 0, r'dataset\.labeled\.pipeline must give one view'),
        (_ONE, _ONE, 4, r'dataset\.unlabeled\.pipeline must give two views'),
    ],
)
def test_a_pipeline_with_the_wrong_number_of_views(
    make_folder: Callable[..., Path], labeled: list, unlabeled: list, index: int, message: str
) -> None:
    root = make_folder(classes=2, each=2)
    with pytest.raises(ValueError, match=message):
        _build(_folder(root, labeled), _folder(root, unlabeled))[index]


def test_colors_for_the_device_are_collated_like_the_views() -> None:
    rows = torch.arange(4.0)[:, None].expand(4, 18)
    view = torch.zeros(3, 2, 2, dtype=torch.uint8)
    labeled = dict(inputs=view, data_samples=None)
    unlabeled = [
        dict(inputs=[view, view], data_samples=None, colors=[rows[2 * i], rows[2 * i + 1]])
        for i in range(2)
    ]
    colors = semi_supervised_collate([unlabeled[0], labeled, unlabeled[1]])['colors']
    assert torch.equal(colors[0], color_row(ColorDraw())[None])
    assert torch.equal(colors[1], rows[[0, 2]])
    assert torch.equal(colors[2], rows[[1, 3]])
    assert 'colors' not in semi_supervised_collate([labeled, dict(labeled, inputs=[view] * 2)])
