from .distribution_alignment import DistributionAlignment
from .feature_queue import FeatureQueue
from .labeled_bank import LabeledBank

__all__ = ['DistributionAlignment', 'FeatureQueue', 'LabeledBank']
