_base_ = [
    '../_base_/models/simmatch_resnet50.py',
    '../_base_/datasets/in1k_semi.py',
    '../_base_/schedules/sgd_nesterov_coslr_400e.py',
    '../_base_/default_runtime.py',
]

model = dict(memory=dict(size=13000))
custom_hooks = [dict(type='LabeledSetHook')]
# The projector has no gradient while the instance branch is off.
model_wrapper_cfg = dict(find_unused_parameters=True)
