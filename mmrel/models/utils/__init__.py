from mmrel.utils.renamed import moved

from .data_preprocessor import (
    ClsDataPreprocessor,
    DeviceColors,
    SelfSupDataPreprocessor,
    SemiSupervisedDataPreprocessor,
)
from .distributed import gather, shuffle_batch, unshuffle_batch
from .features import batch_features, feature_dim, network, pool_features
from .momentum_teacher import MomentumTeacher
from .precision import at_least_float32, full_precision
from .progress import run_position
from .warmup import Warmup

__all__ = [
    'ClsDataPreprocessor',
    'DeviceColors',
    'MomentumTeacher',
    'SelfSupDataPreprocessor',
    'SemiSupervisedDataPreprocessor',
    'Warmup',
    'at_least_float32',
    'batch_features',
    'feature_dim',
    'full_precision',
    'gather',
    'network',
    'pool_features',
    'run_position',
    'shuffle_batch',
    'unshuffle_batch',
]

_MOVED = dict(
    backbones=('build_block',),
    heads=(
        'aggregate', 'connected_components', 'label_purity', 'logsumexp_similarity',
        'nearest_neighbor', 'unfold', 'weak_labels',
    ),
    init=('OneShotInit', 'PretrainedInit'),
    layers=('CpuSyncBatchNorm', 'SplitBatchNorm2d', 'attend', 'scale_gradient'),
    supernets=('PathSampler', 'SIDES', 'SpaceIdentity'),
)  # fmt: skip
__getattr__ = moved(
    __name__,
    {name: f'mmrel.models.{place}.{name}' for place, names in _MOVED.items() for name in names},
)
