from .info_nce_head import InfoNCEHead, InfoNCEWarmup
from .instance_contrast_head import InstanceContrastHead
from .pseudo_label_head import PseudoLabelHead
from .relation_head import RelationHead
from .similarity_matching_head import SimilarityMatchingHead
from .sliced_linear_head import SlicedLinearClsHead
from .smooth_cross_entropy import SmoothCrossEntropy
from .weak_label_contrast_head import WeakLabelContrastHead
from .width_similarity_loss import WidthSimilarityLoss

__all__ = [
    'InfoNCEHead',
    'InfoNCEWarmup',
    'InstanceContrastHead',
    'PseudoLabelHead',
    'RelationHead',
    'SimilarityMatchingHead',
    'SlicedLinearClsHead',
    'SmoothCrossEntropy',
    'WeakLabelContrastHead',
    'WidthSimilarityLoss',
]
