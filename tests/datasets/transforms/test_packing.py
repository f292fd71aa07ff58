"""Views in a batch, and the colors that the device changes."""

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from mmpretrain.datasets.transforms import MultiView as MMPretrains
from PIL import Image
from torch.utils.data import DataLoader

from mmrel.datasets import EpochSampler, SampleIndex, SeededDraws
from mmrel.datasets.transforms import ContrastiveView
from mmrel.datasets.transforms.batched_color import apply_colors
from mmrel.datasets.transforms.draws import ColorDraw, ViewDraw, color_row
from mmrel.registry import TRANSFORMS

_STRONG = dict(type='ContrastiveView', size=16, solarize_prob=0.3)
_WEAK = dict(type='WeakView', size=12)


def _pipeline(color: str = 'host', *more: dict, kind: str = 'MultiView') -> list[dict]:
    views = [[dict(_STRONG, color=color)], [_WEAK, *more]]
    return [
        dict(type='LoadImage'),
        dict(type=kind, num_views=[2, 1], transforms=views),
        dict(type='PackInputs'),
    ]


class _Base(torch.utils.data.Dataset):
    def __init__(self, pipeline: list[dict]) -> None:
        self.steps = [TRANSFORMS.build(step) for step in pipeline]

    def __len__(self) -> int:
        return 7

    def __getitem__(self, idx: int) -> dict:
        pixels = np.random.default_rng(idx).integers(0, 256, (24, 30, 3), dtype=np.uint8)
        results = dict(img=pixels, gt_label=idx)
        for step in self.steps:
            results = step(results)
        return results


class _Images(SeededDraws, _Base):
    """Seven random images."""


def _loader(color: str, num_workers: int = 0) -> DataLoader:
    dataset = _Images(_pipeline(color))
    sampler = EpochSampler(dataset, shuffle=True, seed=5)
    return DataLoader(
        dataset, 4, sampler=sampler, num_workers=num_workers, collate_fn=default_collate
    )


def test_host_and_device_make_the_same_views(mmrel_scope: None) -> None:
    for host, device in zip(_loader('host'), _loader('device'), strict=True):
        assert 'colors' not in host
        assert [tuple(rows.shape) for rows in device['colors']] == [
            (len(host['inputs'][0]), 18)
        ] * 3
        for expected, view, rows in zip(
            host['inputs'], device['inputs'], device['colors'], strict=True
        ):
            assert view.dtype == torch.uint8
            assert torch.equal(apply_colors(view, rows), expected)
        assert not torch.equal(host['inputs'][0], device['inputs'][0])
        assert torch.equal(host['inputs'][2], device['inputs'][2])


@pytest.mark.parametrize('num_workers', [1, 2, 3])
def test_any_number_of_workers_gives_the_same_batches(mmrel_scope: None, num_workers: int) -> None:
    for one, other in zip(_loader('device'), _loader('device', num_workers), strict=True):
        for key in ('inputs', 'colors'):
            assert all(torch.equal(a, b) for a, b in zip(one[key], other[key], strict=True))


def test_the_views_are_those_of_mmpretrains_multi_view(mmrel_scope: None) -> None:
    """Drawn ahead or one after the other, with a copy of the image for each or without."""
    assert TRANSFORMS.get('MultiView') is not MMPretrains
    cutout = dict(type='CutoutView', size=4)
    for more in ((), (cutout,)):
        ours = _Images(_pipeline('host', *more))
        theirs = _Images(_pipeline('host', *more, kind='mmpretrain.MultiView'))
        for i in range(len(ours)):
            index = SampleIndex(i, seed=1, epoch=2)
            a, b = ours[index], theirs[index]
            assert all(torch.equal(x, y) for x, y in zip(a['inputs'], b['inputs'], strict=True))
            assert a['data_samples'].gt_label == b['data_samples'].gt_label


def test_a_mixed_pipeline_hands_over_the_same_colors(mmrel_scope: None) -> None:
    simple, mixed = (
        _Images(_pipeline('device', *more)) for more in ((), (dict(type='CutoutView'),))
    )
    index = SampleIndex(3, seed=1, epoch=2)
    for a, b in zip(simple[index]['colors'], mixed[index]['colors'], strict=True):
        assert torch.equal(a, b)
    assert torch.equal(mixed[index]['colors'][2], color_row(ColorDraw()))


def test_a_view_without_steps_is_the_image(mmrel_scope: None) -> None:
    view = TRANSFORMS.build(dict(type='MultiView', num_views=[1, 1], transforms=[[], [_WEAK]]))
    img = Image.new('RGB', (20, 20), (200, 100, 0))
    assert view(dict(img=img))['img'][0].size == (20, 20)


def test_a_single_view_hands_over_one_row(mmrel_scope: None) -> None:
    steps = [TRANSFORMS.build(c) for c in (dict(_STRONG, color='device'), dict(type='PackInputs'))]
    torch.manual_seed(2)
    results = dict(img=Image.new('RGB', (20, 20), (200, 100, 0)))
    for step in steps:
        results = step(results)
    assert results['colors'].shape == (18,)
    assert (results['inputs'] == torch.tensor([200, 100, 0])[:, None, None]).all()


def test_a_step_after_a_view_colored_on_the_device_is_refused(mmrel_scope: None) -> None:
    views = [[dict(_STRONG, color='device'), dict(type='CutoutView')]]
    with pytest.raises(ValueError, match=r'MultiView\.transforms\.0: ContrastiveView with color='):
        TRANSFORMS.build(dict(type='MultiView', num_views=[1], transforms=views))
    with pytest.raises(ValueError, match="color='gpu' must be 'host' or 'device'"):
        TRANSFORMS.build(dict(_STRONG, color='gpu'))


class _Marked(ContrastiveView):
    """A view with a step of its own."""

    def apply(self, img: Image.Image, draw: ViewDraw) -> Image.Image:
        img = super().apply(img, draw)
        img.putpixel((0, 0), (1, 2, 3))
        return img


def test_a_subclass_may_apply_more(mmrel_scope: None) -> None:
    view = TRANSFORMS.build(
        dict(type='MultiView', num_views=[2], transforms=[[dict(type=_Marked, size=8)]])
    )
    for made in view(dict(img=Image.new('RGB', (20, 20), 'white')))['img']:
        assert np.asarray(made)[0, 0].tolist() == [1, 2, 3]
