from .graph import connected_components, label_purity, nearest_neighbor, weak_labels
from .info_nce_head import InfoNCEHead, InfoNCEWarmup
from .instance_contrast_head import InstanceContrastHead
from .pseudo_label_head import PseudoLabelHead
from .pseudo_labels import aggregate, unfold
from .relation_head import RelationHead
from .similarity import logsumexp_similarity
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
    'aggregate',
    'connected_components',
    'label_purity',
    'logsumexp_similarity',
    'nearest_neighbor',
    'unfold',
    'weak_labels',
]
