from .kshot_nas import KShotNAS
from .linear_classifier import LinearClassifier
from .ressl import ReSSL
from .simmatch import SimMatch
from .vitas import ViTAS
from .wcl import WCL

__all__ = [
    'KShotNAS',
    'LinearClassifier',
    'ReSSL',
    'SimMatch',
    'ViTAS',
    'WCL',
]
