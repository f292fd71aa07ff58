"""Draws made for a batch of large images give the samples that are made one by one."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import Tensor

from mmrel.datasets import BrokenImageError, ImageFolder, SampleIndex, large_views, seeding
from mmrel.registry import DATASETS
from tests.commands import ROOT

_WEAK = dict(type='WeakView', size=100)
_STRONG = dict(type='ContrastiveView', size=112, solarize_prob=0.3)
_SMALL = dict(type='ContrastiveView', size=24, scale=(0.05, 0.3), blur_prob=0)
PIPELINES = {
    'two views': [[_STRONG], [_WEAK]],
    'several sizes': [[_STRONG], [_WEAK], [_SMALL], [dict(_STRONG, interpolation='bicubic')]],
    'on the device': [[dict(_STRONG, color='device')], [_WEAK]],
    'one view': _STRONG,
    'one view on the device': dict(_STRONG, color='device'),
    'evaluation of features': dict(_WEAK, flip_prob=0),
}


@pytest.fixture(scope='module')
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEG files of several sizes and two other files."""
    root = tmp_path_factory.mktemp('photographs') / 'a'
    root.mkdir()
    generator = np.random.default_rng(0)
    for i in range(20):
        height, width = generator.integers(60, 420, 2)
        y, x = np.mgrid[:height, :width] / (10 + i)
        waves = np.stack([np.sin(x) + np.cos(y), np.sin(x + y), np.cos(2 * x) * np.sin(y)], -1)
        img = Image.fromarray((127 + 60 * waves).astype(np.uint8))
        img.convert('L' if i == 3 else 'RGB').save(root / f'{i:02}.{"png" if i == 5 else "jpg"}')
    return root.parent


def _build(root: Path, views: list | dict, draft: bool = False, **kwargs) -> object:
    steps = dict(type='MultiView', num_views=[1] * len(views), transforms=views)
    steps = views if isinstance(views, dict) else steps
    pipeline = [dict(type='LoadImage', draft=draft), steps, dict(type='PackInputs')]
    return DATASETS.build(
        dict(type='ImageFolder', data_root=str(root), pipeline=pipeline, **kwargs)
    )


def _same(a: Tensor | list, b: Tensor | list) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    return len(a) == len(b) and all(map(_same, a, b))


def _check(dataset: object, indices: list[SampleIndex]) -> None:
    before = torch.get_rng_state()
    found = dataset.__getitems__(indices)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(found) == len(indices)
    for sample, index in zip(found, indices, strict=True):
        alone = dataset[index]
        assert sample.keys() == alone.keys()
        assert _same(sample['inputs'], alone['inputs'])
        assert ('colors' in alone) == ('colors' in sample)
        assert 'colors' not in alone or _same(sample['colors'], alone['colors'])
        assert sample['data_samples'].to_dict() == alone['data_samples'].to_dict()


def _indices(number: int = 20, epoch: int = 4) -> list[SampleIndex]:
    order = np.random.default_rng(2).permutation(20)[:number].tolist()
    return [SampleIndex(row, seed=3, epoch=epoch) for row in order]


@pytest.fixture
def drawn_together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples :class:`.LargeViews` has drawn, in each of its batches."""
    numbers = []
    kept = large_views.LargeViews.seeded

    def seeded(self: large_views.LargeViews, infos: Iterable, seeds: Sequence[int]) -> list[dict]:
        numbers.append(len(seeds))
        return kept(self, infos, seeds)

    monkeypatch.setattr(large_views.LargeViews, 'seeded', seeded)
    return numbers


@pytest.mark.parametrize('draft', [False, True])
@pytest.mark.parametrize('name', PIPELINES)
def test_samples(photographs: Path, name: str, draft: bool, drawn_together: list[int]) -> None:
    dataset = _build(photographs, PIPELINES[name], draft)
    _check(dataset, _indices())
    assert drawn_together == [20]


@pytest.mark.parametrize('config', ['in1k_two_views', 'in1k_simclr_views', 'in1k_linear'])
def test_the_published_pipelines(photographs: Path, config: str, drawn_together: list[int]) -> None:
    cfg = Config.fromfile(ROOT / 'configs' / '_base_' / 'datasets' / f'{config}.py')
    pipeline = cfg.get('simclr_pipeline') or cfg.train_pipeline
    root = dict(type='ImageFolder', data_root=str(photographs), pipeline=pipeline)
    dataset = DATASETS.build(root)
    _check(dataset, _indices(5))
    assert drawn_together == [5]


@pytest.mark.parametrize(('images', 'pixels'), [(1, 2**24), (3, 2**24), (16, 1), (16, 100_000)])
def test_however_many_images_are_in_memory(
    photographs: Path, images: int, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _build(photographs, PIPELINES['two views'])
    expected = dataset.__getitems__(_indices())
    monkeypatch.setattr(large_views, '_IMAGES', images)
    monkeypatch.setattr(large_views, '_PIXELS', pixels)
    found = dataset.__getitems__(_indices())
    assert _same([x['inputs'] for x in found], [x['inputs'] for x in expected])


def test_images_are_read_a_few_at_a_time(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_views, '_IMAGES', 4)
    dataset = _build(photographs, PIPELINES['two views'])
    read, made = [], []
    load, pack = dataset.pipeline.transforms[0], dataset.pipeline.transforms[2]
    monkeypatch.setattr(load, 'transform', lambda x, f=load.transform: read.append(1) or f(x))
    monkeypatch.setattr(
        pack, 'transform', lambda x, f=pack.transform: made.append(len(read)) or f(x)
    )
    dataset.__getitems__(_indices(10))
    assert made == [4] * 4 + [8] * 4 + [10] * 2


def test_stored_pixels_and_plain_indices(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MMREL_HOME', str(tmp_path))
    dataset = _build(photographs, PIPELINES['two views'], cache=True)
    for _ in range(2):
        _check(dataset, _indices(6))
    torch.manual_seed(1)
    found = dataset.__getitems__([2, 7])
    torch.manual_seed(1)
    assert _same([x['inputs'] for x in found], [dataset[i]['inputs'] for i in (2, 7)])
    assert dataset.__getitems__([]) == []


def test_where_torch_draws_other_numbers(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _build(photographs, PIPELINES['two views'])
    monkeypatch.setattr(seeding, 'reproduces_torch', lambda: False)
    _check(dataset, _indices(4))


@pytest.mark.parametrize('size', [32, 100])
def test_a_dataset_that_draws_its_file_is_seeded(
    photographs: Path, size: int, mmrel_scope: None
) -> None:
    class Drawn(ImageFolder):
        def get_data_info(self, idx: int) -> dict:
            return super().get_data_info((random.randrange(9), int(torch.randint(9, ())))[idx % 2])

    pipeline = [dict(type='LoadImage'), dict(_WEAK, size=size), dict(type='PackInputs')]
    _check(Drawn(data_root=str(photographs), pipeline=pipeline), _indices(6))


def test_steps_of_other_kinds_run_one_by_one(photographs: Path) -> None:
    for views in (dict(type='CentralView', size=100), [[_WEAK, dict(type='CutoutView')]]):
        dataset = _build(photographs, views)
        assert large_views.LargeViews.of(dataset.pipeline) is None
        _check(dataset, _indices(3))
    dataset = _build(photographs, PIPELINES['one view'])
    step = dataset.pipeline.transforms[1]
    step.__class__ = type('Own', (type(step),), {})
    assert large_views.LargeViews.of(dataset.pipeline) is None


@pytest.mark.parametrize('draft', [False, True])
def test_a_broken_image_is_named(photographs: Path, tmp_path: Path, draft: bool) -> None:
    (tmp_path / 'a').mkdir()
    for file in sorted((photographs / 'a').iterdir())[:3]:
        content = file.read_bytes()
        (tmp_path / 'a' / file.name).write_bytes(
            content[: len(content) // (1 + ('01' in file.name))]
        )
    dataset = _build(tmp_path, PIPELINES['two views'], draft)
    with pytest.raises(BrokenImageError, match=r'01\.jpg'):
        dataset.__getitems__([SampleIndex(row, seed=0, epoch=0) for row in range(3)])
