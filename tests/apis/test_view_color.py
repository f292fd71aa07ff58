"""One key says where the colors of all views are changed."""

from pathlib import Path

import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config

from mmrel.apis import build_runner, load_config
from mmrel.apis.view_color import apply_view_color
from mmrel.datasets.transforms import ContrastiveView
from tests.commands import ROOT, TINY_WCL


def _colors(node: object, found: list) -> list:
    """The `color` of each ContrastiveView."""
    if isinstance(node, dict):
        if node.get('type') == 'ContrastiveView':
            found.append(node.get('color'))
        node = list(node.values())
    for value in node if isinstance(node, list | tuple) else ():
        _colors(value, found)
    return found


@pytest.mark.parametrize(
    ('path', 'number'),
    [
        ('ressl/ressl_resnet50_8xb32-mcrop5-coslr-200e_in1k.py', 5),
        # Before and after the change of augmentation, and the neighbors' crops.
        ('wcl/wcl_resnet50_32xb128-knnmcrop4-coslr-800e_in1k.py', 3),
        ('simmatch/simmatch_resnet50_8xb8-mu5-coslr-400e_in1k-1pct.py', 1),
    ],
)
def test_it_reaches_every_view_for_training(path: str, number: int, mmrel_scope: None) -> None:
    for place in ('device', 'host'):
        cfg = load_config(str(ROOT / 'configs' / path), {'view_color': place})
        apply_view_color(cfg)
        sections = [cfg.train_dataloader, cfg.get('custom_hooks')]
        assert _colors(sections, []) == [place] * number


def test_without_the_key_nothing_changes(mmrel_scope: None) -> None:
    cfg = load_config(str(TINY_WCL))
    before = cfg.to_dict()
    apply_view_color(cfg)
    assert cfg.to_dict() == before


def test_wrong_values_and_preprocessors_are_refused(mmrel_scope: None) -> None:
    with pytest.raises(ValueError, match="view_color='gpu' must be 'host' or 'device'"):
        apply_view_color(Config(dict(view_color='gpu')))
    cfg = load_config(str(TINY_WCL), {'view_color': 'device'})
    cfg.data_preprocessor = dict(type='ImgDataPreprocessor')
    cfg.model.pop('data_preprocessor', None)
    with pytest.raises(ValueError, match=r"data_preprocessor\.type='ImgDataPreprocessor'"):
        apply_view_color(cfg)


def test_a_run_gets_the_same_batches_from_host_and_device(tmp_path: Path, images: Path) -> None:
    inputs = []
    for place in ('host', 'device'):
        options = {
            'view_color': place,
            'train_dataloader.num_workers': 0,
            'train_dataloader.dataset.dataset.data_root': str(images),
            # The neighbors' crops too: colors for some views only.
            'train_dataloader.dataset.crop_pipeline.1.type': 'ContrastiveView',
            'val_dataloader.dataset.data_root': str(images),
        }
        cfg = load_config(str(TINY_WCL), options, str(tmp_path / place))
        runner = build_runner(cfg)
        batch = next(iter(runner.build_dataloader(cfg.train_dataloader, seed=3)))
        assert ('colors' in batch) == (place == 'device')
        inputs.append(runner.model.data_preprocessor(batch, True)['inputs'])
    assert len(inputs[0]) == 4
    for host, device in zip(*inputs, strict=True):
        torch.testing.assert_close(host, device, rtol=0, atol=0)


class _Own(ContrastiveView):
    """A view that changes its pixels itself."""

    def transform(self, results: dict) -> dict:
        return dict(results, img=self.apply(results['img'], self.draw(results['img'].size)))


class _Frame(BaseTransform):
    """Not a view, but it has a color."""

    def __init__(self, color: str = 'red') -> None:
        self.color = color

    def transform(self, results: dict) -> dict:
        return results


def _training(*steps: dict, place: str | None = 'device') -> Config:
    pipeline = [dict(type='LoadImage'), *steps]
    cfg = dict(train_dataloader=dict(dataset=dict(type='ImageFolder', pipeline=pipeline)))
    return Config(cfg if place is None else dict(cfg, view_color=place))


def test_only_views_that_leave_their_colors_are_moved(mmrel_scope: None) -> None:
    view, pack = dict(type='ContrastiveView', size=8), dict(type='PackInputs')
    cfg = _training(dict(type=_Frame), dict(type=_Own, size=8), view, pack)
    apply_view_color(cfg)
    steps = cfg.train_dataloader.dataset.pipeline
    assert [step.get('color') for step in steps] == [None, None, None, 'device', None]


@pytest.mark.parametrize('place', ['device', None])
@pytest.mark.parametrize('after', [dict(type='CutoutView'), dict(type='ContrastiveView', size=8)])
def test_a_step_that_needs_the_colors_is_refused(
    mmrel_scope: None, place: str | None, after: dict
) -> None:
    view = dict(type='ContrastiveView', size=8, color='device')
    cfg = _training(view, after, dict(type='PackInputs'), place=place)
    with pytest.raises(ValueError, match=f"{after['type']} follows ContrastiveView with color='d"):
        apply_view_color(cfg)
    apply_view_color(_training(view, after, dict(type='PackInputs'), place='host'))


def test_steps_that_drop_the_colors_are_refused(mmrel_scope: None) -> None:
    view = dict(type='ContrastiveView', size=8)
    views = dict(type='mmpretrain.MultiView', num_views=[1], transforms=[[view]])
    for steps in ([views, dict(type='PackInputs')], [view, dict(type='mmpretrain.PackInputs')]):
        with pytest.raises(ValueError, match=r"'mmpretrain\.\w+' drops the colors.*use mmrel's"):
            apply_view_color(_training(*steps))
        apply_view_color(_training(*steps, place='host'))
