# For 2 CPU cores and any folder of 32-px images. Set num_classes to your number of classes.
_base_ = [
    '../_base_/models/kshot_mobilenetv2_se_small.py',
    '../_base_/datasets/imagefolder32_supernet.py',
    '../_base_/schedules/kshot_coslr_60e.py',
    '../_base_/kshot_runtime.py',
]

model = dict(k=8, space=dict(num_classes=10))
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PathCalibrationHook')]
