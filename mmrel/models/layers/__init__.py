from .attention import attend
from .gradient import scale_gradient
from .kshot import StackedLayer, mix
from .norm import CpuSyncBatchNorm, SplitBatchNorm2d
from .simplex_net import SimplexNet

__all__ = [
    'CpuSyncBatchNorm',
    'SimplexNet',
    'SplitBatchNorm2d',
    'StackedLayer',
    'attend',
    'mix',
    'scale_gradient',
]
