from .kshot import KShotSupernet
from .path_sampler import PathSampler
from .sides import SIDES
from .space_identity import SpaceIdentity
from .supernet import Supernet
from .vitas import ViTASSupernet

__all__ = [
    'KShotSupernet',
    'PathSampler',
    'SIDES',
    'SpaceIdentity',
    'Supernet',
    'ViTASSupernet',
]
