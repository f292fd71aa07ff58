"""Search spaces, their closed-form costs, and what a search needs of a supernet."""

from mmrel.utils.renamed import moved

from .coded_space import CodedSpace
from .costs import FLOPsCost, LatencyCost, ParametersCost, PathCost
from .mobilenet_v2_se import BlockSizes, MobileNetV2SESpace
from .nas_bench_201 import NASBench201Space, live_edges
from .nas_bench_macro import NASBenchMacroSpace
from .searchable import SearchableModel, check_searchable
from .space import ArchPath, Option, SearchSpace
from .vitas import ViTASSpace

__all__ = [
    'BlockSizes',
    'CodedSpace',
    'FLOPsCost',
    'LatencyCost',
    'MobileNetV2SESpace',
    'NASBench201Space',
    'NASBenchMacroSpace',
    'Option',
    'ParametersCost',
    'ArchPath',
    'PathCost',
    'SearchSpace',
    'SearchableModel',
    'ViTASSpace',
    'check_searchable',
    'live_edges',
]

# Remove in version 0.3.
__getattr__ = moved(__name__, dict(Path='mmrel.spaces.ArchPath'))
