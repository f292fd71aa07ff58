from .config import (
    build_runner,
    check_batches,
    load_config,
    test_from_val,
    use_amp,
    use_auto_scale_lr,
    use_compile,
)
from .exporter import ExportReport, export_model
from .extractor import ExtractedFeatures, FeatureExtractor
from .features import ImageFeatures, extract_features
from .predictor import ImagePredictor, Predictions
from .zoo import get_model, list_models

__all__ = [
    'ExportReport',
    'ExtractedFeatures',
    'FeatureExtractor',
    'ImageFeatures',
    'ImagePredictor',
    'Predictions',
    'build_runner',
    'check_batches',
    'export_model',
    'extract_features',
    'get_model',
    'list_models',
    'load_config',
    'test_from_val',
    'use_amp',
    'use_auto_scale_lr',
    'use_compile',
]
