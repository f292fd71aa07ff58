import colorsys

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tvf
from PIL import Image

from mmrel.datasets.transforms import CentralView, ContrastiveView, LoadImage, WeakView
from mmrel.registry import TRANSFORMS


def _image(height: int = 40, width: int = 56) -> Image.Image:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(rgb)


def _only_hue(shift: float) -> ContrastiveView:
    return ContrastiveView(
        size=16,
        scale=(1.0, 1.0),
        flip_prob=0,
        jitter=(0, 0, 0, 0.5),
        jitter_prob=1,
        gray_prob=0,
        blur_prob=0,
    )


@pytest.mark.parametrize('shift', [-0.3, -0.1, 0.04, 0.25])
def test_hue_shift_is_right_on_this_numpy(shift: float) -> None:
    # One color a row; mmcv's original hue jitter overflows for negative shifts.
    rgb = np.array([[200, 30, 60], [10, 220, 90], [40, 60, 240]], np.uint8)
    view = _only_hue(shift)
    view.jitter.hue = [shift, shift]
    for color in rgb:
        img = Image.fromarray(np.tile(color, (16, 16, 1)))
        found = np.asarray(view.transform(dict(img=img))['img'])[0, 0]
        hue, saturation, value = colorsys.rgb_to_hsv(*(color / 255))
        expected = np.array(colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)) * 255
        # Pillow keeps the hue in 8 bits: a step is 6 levels of a full-range color,
        # and torchvision rounds the shift to a step too.
        assert np.abs(found - expected).max() <= 12


@pytest.mark.parametrize('hue', [-0.3, 0.2])
def test_mmpretrains_jitter_runs_on_numpy_2(mmrel_scope: None, hue: float) -> None:
    jitter = TRANSFORMS.build(dict(type='ColorJitter', hue=(hue, hue)))
    rgb = _image()
    bgr = np.asarray(rgb)[..., ::-1]
    found = jitter(dict(img=bgr))['img'][..., ::-1]
    np.testing.assert_array_equal(found, np.asarray(tvf.adjust_hue(rgb, hue)))


def test_mmpretrains_jitter_is_as_before_without_hue(mmrel_scope: None) -> None:
    cfg = dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4)
    outputs = []
    for scope in ('', 'mmpretrain.'):
        np.random.seed(3)
        jitter = TRANSFORMS.build(dict(cfg, type=f'{scope}ColorJitter'))
        outputs.append(jitter(dict(img=np.asarray(_image())))['img'])
    np.testing.assert_array_equal(*outputs)


def test_weak_view_is_a_crop_or_its_mirror_image() -> None:
    img = _image(32, 32)
    always, never = (WeakView(size=32, scale=(1.0, 1.0), flip_prob=p) for p in (1.0, 0.0))
    for view in (always, never):
        view.RATIO = (1.0, 1.0)
    same = np.asarray(never.transform(dict(img=img))['img'])
    np.testing.assert_array_equal(same, np.asarray(img))
    flipped = np.asarray(always.transform(dict(img=img))['img'])
    np.testing.assert_array_equal(flipped, np.asarray(img)[:, ::-1])


def test_gray_and_blur() -> None:
    quiet = dict(size=32, scale=(1.0, 1.0), flip_prob=0, jitter_prob=0)
    gray = ContrastiveView(**quiet, gray_prob=1, blur_prob=0).transform(dict(img=_image()))['img']
    channels = np.asarray(gray)
    np.testing.assert_array_equal(channels[..., 0], channels[..., 2])
    sharp, soft = (
        np.asarray(
            ContrastiveView(**quiet, gray_prob=0, blur_prob=p, blur_sigma=(2, 2)).transform(
                dict(img=_image(32, 32))
            )['img'],
            float,
        )
        for p in (0, 1)
    )
    assert np.diff(soft, axis=0).std() < 0.25 * np.diff(sharp, axis=0).std()


def test_probabilities_are_met() -> None:
    view = ContrastiveView(size=8, jitter_prob=0, blur_prob=0, gray_prob=0.2, flip_prob=0)
    torch.manual_seed(0)
    img = _image(16, 16)
    gray = 0
    for _ in range(400):
        out = np.asarray(view.transform(dict(img=img))['img'])
        gray += (out[..., 0] == out[..., 1]).all()
    assert 50 <= gray <= 110  # 80 expected, standard deviation 8


def test_central_view() -> None:
    img = _image(40, 56)
    out = CentralView(size=32, resize=40).transform(dict(img=img))['img']
    np.testing.assert_array_equal(np.asarray(out), np.asarray(img)[4:36, 12:44])
    assert CentralView(size=20).transform(dict(img=img))['img'].size == (20, 20)


def test_load_image_takes_arrays_as_rgb() -> None:
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[..., 0] = 255
    out = LoadImage().transform(dict(img=rgb))
    assert out['img'].getpixel((0, 0)) == (255, 0, 0)
    assert out['ori_shape'] == (4, 6)


def test_a_multi_view_pipeline_packs_views_of_different_sizes(mmrel_scope: None) -> None:
    views = TRANSFORMS.build(
        dict(
            type='MultiView',
            num_views=[2, 1],
            transforms=[
                [dict(type='ContrastiveView', size=24)],
                [dict(type='WeakView', size=32)],
            ],
        )
    )
    pack = TRANSFORMS.build(dict(type='PackInputs'))
    packed = pack(views(dict(img=_image(), gt_label=1)))
    assert [tuple(v.shape) for v in packed['inputs']] == [(3, 24, 24), (3, 24, 24), (3, 32, 32)]
    assert not torch.equal(packed['inputs'][0], packed['inputs'][1])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(size=0), 'size=0'),
        (dict(scale=(0.5, 0.2)), 'scale='),
        (dict(flip_prob=1.5), 'flip_prob=1.5'),
        (dict(jitter=(0.4, 0.4)), 'jitter='),
        (dict(gray_prob=-1), 'gray_prob=-1'),
    ],
)
def test_config_errors(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace('(', r'\(')):
        ContrastiveView(**{'size': 32, **change})


@pytest.mark.parametrize('name', ['crop', 'flip'])
@pytest.mark.parametrize('base', [WeakView, ContrastiveView])
def test_an_override_that_nothing_calls_is_refused(base: type, name: str) -> None:
    with pytest.raises(TypeError, match=rf'Own\.{name}\(\) is no longer called: override draw'):
        type('Own', (base,), {name: lambda self, img: img})
    mixin = type('Mixin', (), {name: lambda self, img: img})
    with pytest.raises(TypeError, match=name):
        type('Own', (mixin, base), {})
    # Its own apply() may call it.
    methods = {name: lambda self, img: img, 'apply': lambda self, img, draw: self.crop(img)}
    assert issubclass(type('Own', (base,), methods), base)


def test_central_view_refuses_to_crop_more_than_there_is() -> None:
    with pytest.raises(ValueError, match='resize=16'):
        CentralView(size=32, resize=16)
