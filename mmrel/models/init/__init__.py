from .one_shot_init import OneShotInit
from .pretrained_init import PretrainedInit

__all__ = [
    'OneShotInit',
    'PretrainedInit',
]
