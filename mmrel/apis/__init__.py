from .config import (
    build_runner,
    check_batches,
    load_config,
    test_from_val,
    use_amp,
    use_auto_scale_lr,
)
from .extractor import ExtractedFeatures, FeatureExtractor
from .features import ImageFeatures, extract_features
from .zoo import get_model, list_models

__all__ = [
    'ExtractedFeatures',
    'FeatureExtractor',
    'ImageFeatures',
    'build_runner',
    'check_batches',
    'extract_features',
    'get_model',
    'list_models',
    'load_config',
    'test_from_val',
    'use_amp',
    'use_auto_scale_lr',
]
