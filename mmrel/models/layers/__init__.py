from .kshot import StackedLayer, mix
from .simplex_net import SimplexNet

__all__ = ['SimplexNet', 'StackedLayer', 'mix']
