from .info_nce_head import InfoNCEHead
from .instance_contrast_head import InstanceContrastHead
from .relation_head import RelationHead
from .warmup_head import WarmupHead
from .weak_label_contrast_head import WeakLabelContrastHead

__all__ = [
    'InfoNCEHead',
    'InstanceContrastHead',
    'RelationHead',
    'WarmupHead',
    'WeakLabelContrastHead',
]
