from .info_nce_head import InfoNCEHead, InfoNCEWarmup
from .instance_contrast_head import InstanceContrastHead
from .relation_head import RelationHead
from .weak_label_contrast_head import WeakLabelContrastHead

__all__ = [
    'InfoNCEHead',
    'InfoNCEWarmup',
    'InstanceContrastHead',
    'RelationHead',
    'WeakLabelContrastHead',
]
