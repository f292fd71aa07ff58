"""FLOPs and parameters against figures that are known or counted by hand."""

import numpy as np
import pytest

from mmrel.apis.complexity import complexity, costliest, count_flops, image_size
from mmrel.registry import MODELS
from mmrel.spaces import MobileNetV2SESpace, NASBench201Space
from mmrel.spaces.space import SearchSpace
from tests.commands import ROOT
from tests.configs import read_config
from tests.vitas import small_space


@pytest.mark.parametrize(
    ('config', 'size', 'flops', 'parameters'),
    [
        # Torchvision's 4.089 G and 25,557,032 without the classifier of 2,049,000.
        (dict(type='ResNet', depth=50), 224, 4_087_136_256, 23_508_032),
        (dict(type='ResNet', depth=18), 224, 1_813_561_344, 11_176_512),
        (dict(type='MobileNetV2'), 224, 299_494_272, 2_223_872),
    ],
    ids=['resnet50', 'resnet18', 'mobilenet-v2'],
)
def test_known_networks(
    config: dict, size: int, flops: int, parameters: int, mmrel_scope: None
) -> None:
    backbone = MODELS.build(config)
    assert sum(p.numel() for p in backbone.parameters()) == parameters
    assert count_flops(backbone, (size, size)) == flops


def test_attention_is_counted(mmrel_scope: None) -> None:
    """A vision transformer against its sums of products."""
    settings = dict(img_size=32, patch_size=8, out_type='cls_token')
    arch = dict(embed_dims=24, num_layers=2, num_heads=3, feedforward_channels=48)
    backbone = MODELS.build(dict(type='VisionTransformer', arch=arch, **settings))
    tokens, width = 17, 24
    layer = tokens * width * (3 * width + width + 2 * 48) + 2 * tokens * tokens * width
    patches = 16 * 3 * 8 * 8 * width
    assert count_flops(backbone, (32, 32)) == 2 * layer + patches


@pytest.mark.parametrize('kind', [NASBench201Space, MobileNetV2SESpace])
def test_the_costliest_path_of_a_space(kind: type[SearchSpace], mmrel_scope: None) -> None:
    """Its FLOPs by the closed form, which has the classifier too."""
    space = kind()
    path = costliest(space)
    closed = space.flops(space.indices([path]))[0]
    assert closed >= space.flops(space.sample_indices(2000, np.random.default_rng(0))).max()
    model = MODELS.build(space.subnet(path))
    # NAS-Bench-201 counts the bias too.
    counted = '' if kind is NASBench201Space else 'weight'
    classifier = sum(p.numel() for name, p in model.head.named_parameters() if counted in name)
    size = (space.image_size,) * 2
    assert count_flops(model.backbone, size) == closed - classifier


def test_the_costliest_path_of_a_super_transformer() -> None:
    space = small_space()
    found, largest = space.flops(space.indices([costliest(space), space.largest()]))
    assert found == largest  # the number of heads costs nothing


def test_a_supernet_has_the_parameters_of_all_its_weights(mmrel_scope: None) -> None:
    """K dictionaries: K times the weights, and the same costliest network."""
    name = 'configs/kshot/kshot-k{}_nb201-c8_1xb64-coslr-60e_imagefolder32.py'
    one, four = (complexity(read_config(ROOT / name.format(k))) for k in (1, 4))
    assert one['FLOPs'] == four['FLOPs']
    assert 3.5 < four['Parameters'] / one['Parameters'] <= 4
    space = NASBench201Space(channels=8, cells=1)
    assert one['FLOPs'] == space.flops(space.indices([costliest(space)]))[0] - 33 * 10


def test_without_evaluation_the_first_training_view_sets_the_size(mmrel_scope: None) -> None:
    name = 'configs/ressl/ressl-ext_resnet18-w16_1xb64-coslr-{}.py'
    small, photos = (
        read_config(ROOT / name.format(end)) for end in ('20e_imagefolder32', '400e_photos')
    )
    assert image_size(small) == (32, 32)
    assert image_size(photos) == (64, 64)
    # The same convolutions at four times as many pixels.
    small, photos = complexity(small), complexity(photos)
    assert photos == dict(FLOPs=4 * small['FLOPs'], Parameters=small['Parameters'])
    photos_cfg = read_config(ROOT / name.format('400e_photos'))
    photos_cfg.train_dataloader = None
    with pytest.raises(ValueError, match='neither val_dataloader nor train_dataloader'):
        image_size(photos_cfg)
