"""Search spaces, their closed-form costs, and what a search needs of a supernet."""

import warnings
from typing import Any

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


def __getattr__(name: str) -> Any:
    """The former name of ArchPath; remove it in version 0.3."""
    if name == 'Path':
        warnings.warn(
            'mmrel.spaces.Path is now mmrel.spaces.ArchPath', DeprecationWarning, stacklevel=2
        )
        return ArchPath
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
