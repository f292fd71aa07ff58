# 13,000 labels: 13 per class.
_base_ = [
    '../_base_/models/simmatch_resnet50.py',
    '../_base_/datasets/in1k_semi.py',
    '../_base_/schedules/sgd_nesterov_coslr_400e.py',
    '../_base_/default_runtime.py',
]

# Warm-up by iteration, then the cosine by epoch, as released.
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=5, by_epoch=True),
]
custom_hooks = [dict(type='LabeledSetHook')]
# The projector has no gradient while the instance branch is off.
model_wrapper_cfg = dict(find_unused_parameters=True)
