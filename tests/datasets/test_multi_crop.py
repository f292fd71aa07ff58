import numpy as np
import pytest
import torch
from mmpretrain.datasets import BaseDataset
from torch.utils.data import DataLoader

from mmrel.datasets import (
    EpochSampler,
    KNNMultiCropDataset,
    SampleIndex,
    SeededDraws,
    batched_views,
)
from mmrel.datasets.transforms.batched_color import apply_colors
from mmrel.registry import DATASETS

N, K = 30, 4


@DATASETS.register_module()
class _Numbered(SeededDraws, BaseDataset):
    """Gray images whose brightness says which one they are."""

    def load_data_list(self) -> list[dict]:
        return [dict(gt_label=i % 3, number=i, img=self._image(i)) for i in range(N)]

    @staticmethod
    def _image(number: int) -> np.ndarray:
        noise = np.random.default_rng(number).integers(0, 2, (16, 16, 3))
        return (8 * number + noise).astype(np.uint8)


VIEWS = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[2],
        transforms=[[dict(type='ContrastiveView', size=12, jitter_prob=0, blur_prob=0)]],
    ),
    dict(type='PackInputs'),
]
CROP = [dict(type='LoadImage'), dict(type='WeakView', size=8), dict(type='PackInputs')]


def _build(num_crops: int = 3, num_neighbors: int = K, **changes) -> KNNMultiCropDataset:
    inner = dict(dict(type='_Numbered', ann_file='', pipeline=VIEWS), **changes)
    cfg = dict(type='KNNMultiCropDataset', dataset=inner, crop_pipeline=CROP)
    return DATASETS.build(dict(cfg, num_crops=num_crops, num_neighbors=num_neighbors))


def _table(seed: int = 0) -> torch.Tensor:
    draw = np.random.default_rng(seed)
    return torch.from_numpy(np.stack([draw.permutation(N)[:K] for _ in range(N)]))


def _numbers(sample: dict) -> list[int]:
    """Which images a sample's crops are of."""
    return [int(view.float().mean()) // 8 for view in sample['inputs'][2:]]


def test_views_are_those_of_the_data_set_inside() -> None:
    dataset = _build()
    dataset.set_neighbors(_table())
    for i in range(N):
        index = SampleIndex(i, seed=1, epoch=2)
        ours, theirs = dataset[index], dataset.dataset[index]
        assert [tuple(v.shape) for v in ours['inputs']] == [(3, 12, 12)] * 2 + [(3, 8, 8)] * 3
        for a, b in zip(ours['inputs'], theirs['inputs'], strict=False):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
        assert ours['data_samples'].gt_label == theirs['data_samples'].gt_label


def test_crops_are_of_different_neighbors_and_all_have_their_turn() -> None:
    dataset, table = _build(), _table()
    dataset.set_neighbors(table)
    seen: list[set] = [set() for _ in range(N)]
    for epoch in range(12):
        for i in range(N):
            numbers = _numbers(dataset[SampleIndex(i, seed=0, epoch=epoch)])
            assert len(set(numbers)) == 3
            seen[i] |= set(numbers)
    assert seen == [set(row) for row in table.tolist()]


def test_more_crops_than_neighbors() -> None:
    dataset = _build(num_crops=6, num_neighbors=2)
    dataset.set_neighbors(_table()[:, :2])
    numbers = _numbers(dataset[SampleIndex(5, seed=0, epoch=0)])
    assert sorted(numbers) == sorted(_table()[5, :2].tolist() * 3)


def test_before_the_first_refresh_crops_are_of_the_image_itself() -> None:
    dataset = _build()
    assert _numbers(dataset[SampleIndex(7, seed=0, epoch=0)]) == [7, 7, 7]
    views = dataset[SampleIndex(7, seed=0, epoch=0)]['inputs']
    assert not torch.equal(views[2], views[3])  # crops, not copies


def _epoch(loader: DataLoader) -> list[torch.Tensor]:
    """All views and crops of an epoch, in the order of the images."""
    batches = list(loader)
    order = torch.tensor([s.sample_idx for _, samples in batches for s in samples]).argsort()
    return [torch.cat(views)[order] for views in zip(*(v for v, _ in batches), strict=True)]


def _collate(samples: list[dict]) -> tuple[list, list]:
    views = zip(*(s['inputs'] for s in samples), strict=True)
    return [torch.stack(v) for v in views], [s['data_samples'] for s in samples]


def _epochs(workers: int, method: str | None = None) -> list[list[torch.Tensor]]:
    """Three epochs with a refresh between them, by workers that live on."""
    dataset = _build()
    sampler = EpochSampler(dataset, seed=0)
    loader = DataLoader(
        dataset, 5, sampler=sampler, num_workers=workers, persistent_workers=workers > 0,
        multiprocessing_context=method, collate_fn=_collate,
    )  # fmt: skip
    found = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        found.append(_epoch(loader))
        dataset.set_neighbors(_table(epoch))
    return found


@pytest.mark.slow
@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_workers_that_live_on_see_the_new_neighbors(method: str) -> None:
    torch.testing.assert_close(_epochs(2, method), _epochs(0), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(num_crops=0), r'dataset\.num_crops=0'),
        (dict(num_neighbors=0), r'dataset\.num_neighbors=0'),
        (dict(num_neighbors=N), rf'dataset\.num_neighbors={N} needs at least {N + 1} images'),
    ],
)
def test_config_errors(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _build(**change)


def test_a_single_view_is_refused() -> None:
    with pytest.raises(ValueError, match='use MultiView'):
        _build(pipeline=CROP)[0]


@pytest.mark.parametrize(
    ('table', 'message'),
    [
        (torch.zeros(N, K + 1), r'shape \(30, 5\) does not match 30 images with num_neighbors=4'),
        (torch.full((N, K), N), 'outside 0 to 29'),
        (torch.full((N, K), -1), 'outside 0 to 29'),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: torch.Tensor, message: str) -> None:
    dataset = _build()
    with pytest.raises(ValueError, match=message):
        dataset.set_neighbors(table)
    assert dataset.neighbors.eq(torch.arange(N)[:, None]).all()


@pytest.mark.parametrize(('views', 'crops'), [(True, True), (True, False), (False, True)])
def test_the_crops_colors_are_handed_over_with_the_views(views: bool, crops: bool) -> None:
    """On the device, the views are the same as those of the host."""

    def build(device: bool) -> KNNMultiCropDataset:
        def strong(size: int, on_device: bool) -> dict:
            color = 'device' if device and on_device else 'host'
            return dict(type='ContrastiveView', size=size, color=color)

        view = dict(type='MultiView', num_views=[2], transforms=[[strong(12, views)]])
        inner = dict(type='_Numbered', ann_file='', pipeline=[VIEWS[0], view, VIEWS[2]])
        cfg = dict(type='KNNMultiCropDataset', dataset=inner, num_crops=3, num_neighbors=K)
        return DATASETS.build(dict(cfg, crop_pipeline=[CROP[0], strong(8, crops), CROP[2]]))

    host, device = build(False), build(True)
    for i in range(6):
        index = SampleIndex(i, seed=1, epoch=2)
        expected, sample = host[index]['inputs'], device[index]
        assert len(sample['colors']) == len(expected) == 5
        for view, row, wanted in zip(sample['inputs'], sample['colors'], expected, strict=True):
            assert torch.equal(apply_colors(view[None], row[None])[0], wanted)


_STRONG = dict(type='ContrastiveView', size=20, scale=(0.1, 0.4))


@pytest.mark.parametrize('device', [False, True])
@pytest.mark.parametrize(
    'crop', [CROP[1], _STRONG, dict(type='CentralView', size=8), dict(_STRONG, size=97)]
)
@pytest.mark.parametrize(('num_crops', 'num_neighbors'), [(3, K), (6, 2), (1, 1)])
def test_a_batch_has_the_samples_made_one_by_one(
    device: bool, crop: dict, num_crops: int, num_neighbors: int
) -> None:
    strong = dict(type='ContrastiveView', size=12, color='device' if device else 'host')
    view = dict(type='MultiView', num_views=[2], transforms=[[strong]])
    cfg = dict(
        type='KNNMultiCropDataset',
        dataset=dict(type='_Numbered', ann_file='', pipeline=[VIEWS[0], view, VIEWS[2]]),
        num_crops=num_crops,
        num_neighbors=num_neighbors,
        crop_pipeline=[CROP[0], crop, CROP[2]],
    )
    dataset = DATASETS.build(cfg)
    assert (dataset._plans() is not None) is (crop.get('size') != 97)
    dataset.set_neighbors(_table()[:, :num_neighbors])
    indices = [SampleIndex(i, seed=1, epoch=2) for i in (*range(9), 3)]
    before = torch.get_rng_state()
    found = dataset.__getitems__(indices)
    assert torch.equal(torch.get_rng_state(), before)
    for sample, index in zip(found, indices, strict=True):
        alone = dataset[index]
        assert sample.keys() == alone.keys()
        for key in sample.keys() - {'data_samples'}:
            assert len(sample[key]) == len(alone[key]) == 2 + num_crops
            assert all(map(torch.equal, sample[key], alone[key]))
        assert sample['data_samples'].to_dict() == alone['data_samples'].to_dict()
    torch.manual_seed(0)
    plain = [dataset[i] for i in (4, 2)]
    torch.manual_seed(0)  # plain indices draw from the generator as it is
    for sample, alone in zip(dataset.__getitems__([4, 2]), plain, strict=True):
        assert all(map(torch.equal, sample['inputs'], alone['inputs']))


def test_a_batch_is_made_together(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, calls = _build(), []
    made = batched_views.BatchedViews.from_streams
    monkeypatch.setattr(
        batched_views.BatchedViews,
        'from_streams',
        lambda self, infos, streams: calls.append(len(infos)) or made(self, infos, streams),
    )
    dataset.__getitems__([SampleIndex(i, 0, 0) for i in range(5)])
    assert calls == [5] * 4  # both views, then each of the three crops
    # Large images are not held for a whole batch.
    monkeypatch.setattr('mmrel.datasets.multi_crop.SMALL_SIDE', 4)
    dataset.__getitems__([SampleIndex(i, 0, 0) for i in range(5)])
    assert calls == [5] * 4
    assert dataset.__getitems__([]) == []


def test_an_own_class_keeps_its_samples(mmrel_scope: None) -> None:
    class Own(KNNMultiCropDataset):
        def __getitem__(self, idx: int) -> int:
            return int(idx)

    dataset = Own(_build().dataset, K, 3, _build().crop_pipeline.transforms)
    assert dataset.__getitems__([SampleIndex(i, 0, 0) for i in (3, 1)]) == [3, 1]
