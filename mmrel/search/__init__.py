"""Search spaces, costs and studies of one-shot architecture search."""

from .coded_space import CodedSpace
from .costs import FLOPsCost, LatencyCost, ParametersCost, PathCost
from .mobilenet_v2_se import BlockSizes, MobileNetV2SESpace
from .nas_bench_201 import NASBench201Space, live_edges
from .space import Option, Path, SearchSpace
from .spaces import ViTASSpace

__all__ = [
    'BlockSizes',
    'CodedSpace',
    'FLOPsCost',
    'LatencyCost',
    'MobileNetV2SESpace',
    'NASBench201Space',
    'Option',
    'ParametersCost',
    'Path',
    'PathCost',
    'SearchSpace',
    'ViTASSpace',
    'live_edges',
]
