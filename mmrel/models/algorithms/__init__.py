from .linear_classifier import LinearClassifier
from .ressl import ReSSL

__all__ = ['LinearClassifier', 'ReSSL']
