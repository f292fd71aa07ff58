"""A batch has the samples that the pipeline makes one by one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from torch.utils.data import DataLoader

from mmrel.datasets import EpochSampler, ImageFolder, SampleIndex, batched_views, seeding
from mmrel.datasets.batched_views import BatchedViews
from mmrel.registry import DATASETS, TRANSFORMS
from tests.commands import ROOT

CONFIGS = ROOT / 'configs' / '_base_' / 'datasets'
PIPELINES = {
    f'{file}.{key}': Config.fromfile(CONFIGS / f'{file}.py')[key]
    for file, key in (
        ('two_views_32px', 'train_pipeline'),
        ('simclr_views_32px', 'simclr_pipeline'),
        ('semi_32px', 'labeled_pipeline'),
        ('semi_32px', 'unlabeled_pipeline'),
        ('linear_32px', 'train_pipeline'),
        ('val_32px', 'val_pipeline'),
        ('two_views_64px', 'train_pipeline'),
        ('digits_two_views', 'train_pipeline'),
    )
}


def _built(pipeline: list) -> Compose:
    return Compose([TRANSFORMS.build(step) for step in pipeline])


def _build(root: Path, pipeline: list, **kwargs) -> object:
    cfg = dict(type='ImageFolder', data_root=str(root), pipeline=pipeline, cache=False)
    return DATASETS.build(dict(cfg, **kwargs))


def _content(sample: dict) -> tuple[list, dict]:
    inputs = sample['inputs']
    views = [inputs] if isinstance(inputs, torch.Tensor) else inputs
    assert all(view.dtype == torch.uint8 for view in views)
    return [view.tolist() for view in views], sample['data_samples'].to_dict()


@pytest.mark.parametrize('name', PIPELINES)
def test_samples_of_all_small_configs(images: Path, name: str) -> None:
    dataset = _build(images, PIPELINES[name])
    assert dataset.batched_views() is not None
    indices = [SampleIndex(row, seed=3, epoch=epoch) for epoch in (0, 7) for row in (4, 40, 9, 47)]
    before = torch.get_rng_state()
    found = dataset.__getitems__(indices)
    assert torch.equal(torch.get_rng_state(), before)
    assert [*map(_content, found)] == [_content(dataset[index]) for index in indices]


@pytest.mark.parametrize('several', [True, False])
def test_colors_that_the_device_changes(images: Path, several: bool) -> None:
    contrastive = dict(type='ContrastiveView', size=32, color='device')
    views = [contrastive]
    if several:
        steps = [[contrastive], [dict(type='WeakView', size=32)], [dict(contrastive, color='host')]]
        views = [dict(type='MultiView', num_views=[1, 1, 1], transforms=steps)]
    dataset = _build(images, [dict(type='LoadImage'), *views, dict(type='PackInputs')])
    assert dataset.batched_views() is not None
    indices = [SampleIndex(row, seed=3, epoch=2) for row in range(12)]
    for sample, index in zip(dataset.__getitems__(indices), indices, strict=True):
        alone = dataset[index]
        assert _content(sample) == _content(alone)
        rows = [(s['colors'] if several else [s['colors']]) for s in (sample, alone)]
        assert len(rows[0]) == (3 if several else 1)
        assert torch.equal(torch.stack(rows[0]), torch.stack(rows[1]))


@pytest.mark.parametrize('cache', [True, False])
@pytest.mark.parametrize('name', PIPELINES)
def test_stored_pixels_give_the_same_samples(
    images: Path, name: str, cache: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Pillow images, that is."""
    monkeypatch.setenv('MMREL_HOME', str(tmp_path))
    dataset = _build(images, PIPELINES[name], cache=cache)
    seeded = [SampleIndex(row, seed=3, epoch=5) for row in (*range(20), 7)]
    for indices in (seeded, [4, 1]):
        for _ in range(2):
            torch.manual_seed(2)
            found = dataset.__getitems__(indices)
            torch.manual_seed(2)
            assert [*map(_content, found)] == [_content(dataset[index]) for index in indices]


def test_a_plain_index_draws_from_the_generator_as_it_is(images: Path) -> None:
    dataset = _build(images, PIPELINES['two_views_32px.train_pipeline'])
    torch.manual_seed(5)
    found, after = dataset.__getitems__([3, 1, 4]), torch.rand(())
    torch.manual_seed(5)
    assert [*map(_content, found)] == [_content(dataset[row]) for row in (3, 1, 4)]
    assert torch.equal(torch.rand(()), after)


def test_without_torchs_numbers_the_samples_are_the_same(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _build(images, PIPELINES['semi_32px.unlabeled_pipeline'])
    indices = [SampleIndex(row, seed=3, epoch=1) for row in (4, 40)]
    expected = [*map(_content, dataset.__getitems__(indices))]
    for module in (batched_views, seeding):
        monkeypatch.setattr(module, 'reproduces_torch', lambda: False)
    before = torch.get_rng_state()
    assert [*map(_content, dataset.__getitems__(indices))] == expected
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize('workers', [0, 2, 3])
def test_a_loader_gives_the_same_batches_after_a_resume(images: Path, workers: int) -> None:
    dataset = _build(images, PIPELINES['two_views_32px.train_pipeline'])
    sampler = EpochSampler(dataset, seed=3)
    sampler.set_epoch(2)
    order = [*sampler]
    sampler.start_at(16)
    loader = DataLoader(
        dataset, 8, sampler=sampler, num_workers=workers, collate_fn=default_collate
    )
    found = [torch.cat(view) for view in zip(*(b['inputs'] for b in loader), strict=True)]
    expected = default_collate([dataset[index] for index in order[16:]])['inputs']
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    'change',
    [
        'no pack',
        'another load',
        'draft',
        'array transforms',
        'large view',
        'no crop first',
        'own class',
    ],
)
def test_other_pipelines_run_one_by_one(images: Path, change: str) -> None:
    weak, load, pack = (
        dict(type='WeakView', size=32),
        dict(type='LoadImage'),
        dict(type='PackInputs'),
    )
    erase = dict(type='ArrayTransforms', transforms=[dict(type='RandomErasing')])
    pipeline = {
        'no pack': [load, weak],
        'another load': [dict(type='mmpretrain.LoadImageFromFile'), pack],
        'draft': [dict(load, draft=True), weak, pack],
        'array transforms': [load, weak, erase, pack],
        'large view': [load, dict(weak, size=97), pack],
        'no crop first': [load, dict(type='CutoutView'), pack],
        'own class': [load, weak, pack],
    }[change]
    built = _built(pipeline)
    if change == 'own class':
        built.transforms[1].__class__ = type('Own', (type(built.transforms[1]),), {})
    assert BatchedViews.of(built) is None
    dataset = _build(images, pipeline)
    dataset.pipeline = built
    indices = [SampleIndex(row, seed=3, epoch=0) for row in (4, 40)]
    for sample, index in zip(dataset.__getitems__(indices), indices, strict=True):
        alone = dataset[index]
        key = 'inputs' if 'inputs' in alone else 'img'
        np.testing.assert_array_equal(np.asarray(sample[key]), np.asarray(alone[key]))


def test_a_replaced_pipeline_is_used(images: Path) -> None:
    dataset = _build(images, PIPELINES['val_32px.val_pipeline'])
    dataset.__getitems__([0])
    dataset.pipeline = _built(PIPELINES['two_views_32px.train_pipeline'])
    assert len(dataset.__getitems__([0])[0]['inputs']) == 2


def test_an_own_dataset_keeps_its_methods(images: Path, mmrel_scope: None) -> None:
    class Noted(ImageFolder):
        def __getitem__(self, idx: int) -> object:
            return int(idx), idx.seed

    class Prepared(ImageFolder):
        def prepare_data(self, idx: int) -> object:
            return 'own'

    pipeline = PIPELINES['val_32px.val_pipeline']
    indices = [SampleIndex(row, seed=3, epoch=0) for row in (4, 40)]
    for kind, expected in ((Noted, [(4, 3), (40, 3)]), (Prepared, ['own', 'own'])):
        assert kind(data_root=str(images), pipeline=pipeline).__getitems__(indices) == expected


def test_evaluation_leaves_the_generators_where_torch_differs(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _build(images, PIPELINES['val_32px.val_pipeline'])
    for module in (seeding, batched_views):
        monkeypatch.setattr(module, 'reproduces_torch', lambda: False)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    dataset.__getitems__([3, 4])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_hook_may_change_the_steps_in_place(images: Path) -> None:
    dataset = _build(images, PIPELINES['linear_32px.train_pipeline'])
    index = SampleIndex(3, 1, 2)
    assert dataset.__getitems__([index])[0]['inputs'].shape == (3, 32, 32)
    dataset.pipeline.transforms[1] = TRANSFORMS.build(dict(type='WeakView', size=20))
    found = dataset.__getitems__([index])[0]
    assert found['inputs'].shape == (3, 20, 20)
    assert _content(found) == _content(dataset[index])
