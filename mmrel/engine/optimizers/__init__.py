from .autocast import AutocastOptimWrapper
from .kshot_constructor import KShotOptimWrapperConstructor
from .lars import LARS

__all__ = ['LARS', 'AutocastOptimWrapper', 'KShotOptimWrapperConstructor']
