from .linear_classifier import LinearClassifier
from .ressl import ReSSL
from .simmatch import SimMatch
from .wcl import WCL

__all__ = ['LinearClassifier', 'ReSSL', 'SimMatch', 'WCL']
