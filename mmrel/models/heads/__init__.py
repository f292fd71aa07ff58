from .info_nce_head import InfoNCEHead, InfoNCEWarmup
from .relation_head import RelationHead

__all__ = ['InfoNCEHead', 'InfoNCEWarmup', 'RelationHead']
