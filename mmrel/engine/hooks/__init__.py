from .channels_last_hook import ChannelsLastHook
from .checkpoint_hook import CheckpointHook
from .class_names_hook import ClassNamesHook
from .finite_hook import FiniteHook
from .initial_val_hook import InitialValHook
from .knn_multi_crop_hook import KNNMultiCropHook
from .labeled_set_hook import LabeledSetHook
from .path_calibration_hook import PathCalibrationHook
from .step_seed_hook import StepSeedHook
from .strict_load_hook import StrictLoadHook

__all__ = [
    'ChannelsLastHook',
    'CheckpointHook',
    'ClassNamesHook',
    'FiniteHook',
    'InitialValHook',
    'KNNMultiCropHook',
    'LabeledSetHook',
    'PathCalibrationHook',
    'StepSeedHook',
    'StrictLoadHook',
]
