from .kshot import KShotBatchNorm2d, KShotConv2d, KShotLinear, PathStatistics, mix
from .simplex_net import SimplexNet

__all__ = [
    'KShotBatchNorm2d',
    'KShotConv2d',
    'KShotLinear',
    'PathStatistics',
    'SimplexNet',
    'mix',
]
