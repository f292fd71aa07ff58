from .attention import attend
from .block_cache import build_block
from .data_preprocessor import (
    ClsDataPreprocessor,
    DeviceColors,
    SelfSupDataPreprocessor,
    SemiSupervisedDataPreprocessor,
)
from .features import batch_features, feature_dim, network, pool_features
from .gather import gather
from .gradient import scale_gradient
from .graph import (
    connected_components,
    label_purity,
    nearest_neighbor,
    weak_labels,
)
from .momentum_teacher import MomentumTeacher
from .norm import CpuSyncBatchNorm, SplitBatchNorm2d
from .one_shot_init import OneShotInit
from .path_sampler import PathSampler
from .precision import at_least_float32, full_precision
from .pretrained_init import PretrainedInit
from .progress import run_position
from .pseudo_labels import aggregate, unfold
from .shuffle import shuffle_batch, unshuffle_batch
from .sides import SIDES
from .similarity import logsumexp_similarity
from .space_identity import SpaceIdentity
from .warmup import Warmup

__all__ = [
    'ClsDataPreprocessor',
    'CpuSyncBatchNorm',
    'DeviceColors',
    'MomentumTeacher',
    'PathSampler',
    'OneShotInit',
    'PretrainedInit',
    'SIDES',
    'SelfSupDataPreprocessor',
    'SemiSupervisedDataPreprocessor',
    'SpaceIdentity',
    'SplitBatchNorm2d',
    'Warmup',
    'aggregate',
    'at_least_float32',
    'attend',
    'batch_features',
    'build_block',
    'connected_components',
    'feature_dim',
    'network',
    'full_precision',
    'gather',
    'label_purity',
    'logsumexp_similarity',
    'nearest_neighbor',
    'pool_features',
    'run_position',
    'scale_gradient',
    'shuffle_batch',
    'unfold',
    'unshuffle_batch',
    'weak_labels',
]
