"""Both K-shot spaces in sizes for tests, and the costs of built networks."""

import numpy as np
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from mmrel.registry import MODELS, SEARCH_SPACES
from mmrel.spaces import CodedSpace, NASBench201Space

SMALL = dict(
    type='MobileNetV2SESpace',
    num_classes=5,
    input_size=27,  # odd: sizes are rounded up at each stride
    stem_channels=8,
    first_channels=4,
    channels=(8, 12),
    layers=(2, 3),
    strides=(1, 2, 2),
    last_channels=16,
    widths=(0.2, 0.5, 1.0),
    divisor=4,
)
CELLS = dict(type='NASBench201Space', num_classes=3, channels=6, cells=2, input_size=19)


def build(cfg: dict) -> CodedSpace:
    """A space."""
    return SEARCH_SPACES.build(cfg)


def network_of(space: CodedSpace, path: dict) -> nn.Module:
    """The stand-alone network of a path."""
    return MODELS.build(space.subnet(path)).eval()


def _counted_flops(network: nn.Module, size: int) -> int:
    count = FlopCountAnalysis(network, torch.zeros(1, 3, size, size))
    operators = count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    found = operators.by_operator()
    return found['conv'] + found['linear']


def check_costs(cfg: dict) -> None:
    """Compare FLOPs and parameters with those counted in built networks."""
    space = build(cfg)
    # NAS-Bench-201 counts the classifier's bias too, and edges that the built networks lack.
    cells = isinstance(space, NASBench201Space)
    indices = space.sample_indices(12, np.random.default_rng(0))
    largest = space.indices([space.largest()])
    indices = np.concatenate([indices, np.zeros_like(largest), largest])
    if cells:
        assert (space.flops(space.canonical(indices)) <= space.flops(indices)).all()
        indices = space.canonical(indices)
    flops, parameters = space.flops(indices), space.parameters(indices)
    assert flops.dtype == parameters.dtype == np.int64
    for i, path in enumerate(space.paths(indices)):
        network = network_of(space, path)
        assert parameters[i] == sum(p.numel() for p in network.parameters())
        biases = space.num_classes if cells else 0
        assert flops[i] == _counted_flops(network, cfg['input_size']) + biases
    assert parameters[-1] == parameters.max()
