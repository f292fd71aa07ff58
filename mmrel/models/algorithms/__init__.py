from .linear_classifier import LinearClassifier
from .ressl import ReSSL
from .wcl import WCL

__all__ = ['LinearClassifier', 'ReSSL', 'WCL']
