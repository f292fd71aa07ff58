from .info_nce_head import InfoNCEHead
from .relation_head import RelationHead
from .warmup_head import WarmupHead

__all__ = ['InfoNCEHead', 'RelationHead', 'WarmupHead']
