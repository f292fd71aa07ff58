"""K-shot spaces and models that are small enough for tests."""

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from mmpretrain.structures import DataSample
from torch import nn

from mmrel.engine import KShotOptimWrapperConstructor
from mmrel.registry import MODELS

MOBILE_SPACE = dict(
    type='MobileNetV2SESpace',
    num_classes=3,
    input_size=16,
    stem_channels=4,
    first_channels=4,
    channels=(4, 8),
    layers=(2, 2),
    strides=(1, 1, 2),
    last_channels=8,
    kernels=(3, 5),
    widths=(0.5, 1.0),
    divisor=4,
)
CELL_SPACE = dict(type='NASBench201Space', num_classes=3, channels=4, cells=1, input_size=16)
MACRO_SPACE = dict(
    type='NASBenchMacroSpace',
    num_classes=3,
    input_size=16,
    stem_channels=4,
    channels=(4, 8),
    layers=(2, 2),
    last_channels=8,
)
MOBILE, CELLS = dict(space=MOBILE_SPACE), dict(space=CELL_SPACE)
SPACES = pytest.mark.parametrize('parts', [MOBILE, CELLS], ids=['mobile', 'cells'])


def build_kshot(family: dict, **changes) -> nn.Module:
    torch.manual_seed(0)
    simplex = {'parts': 4, **changes.pop('simplex', {})}
    settings = dict(k=3, warmup=None, simplex=simplex)
    return MODELS.build(dict(type='KShotNAS', **family, **{**settings, **changes}))


def kshot_optimizers(
    model: nn.Module, lr: float = 0.1, weight_decay: float = 1e-4
) -> OptimWrapperDict:
    sgd = dict(type='SGD', lr=lr, momentum=0.9, weight_decay=weight_decay)
    cfg = dict(type='OptimWrapper', optimizer=sgd, simplex_net=dict(optimizer=sgd))
    return KShotOptimWrapperConstructor(cfg)(model)


def kshot_batch(size: int = 8, seed: int = 1) -> dict:
    images = torch.randn(size, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    samples = [DataSample().set_gt_label(i % 3) for i in range(size)]
    return dict(inputs=images, data_samples=samples)


def changed(before: dict, after: dict) -> set[str]:
    return {key for key in before if not torch.equal(before[key], after[key])}


def state_of(model: nn.Module) -> dict:
    return {k: v.clone() for k, v in model.state_dict().items() if k != 'progress'}
