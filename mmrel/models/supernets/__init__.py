from .kshot import KShotSupernet
from .supernet import Supernet
from .vitas import ViTASSupernet

__all__ = ['KShotSupernet', 'Supernet', 'ViTASSupernet']
