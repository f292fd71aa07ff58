_base_ = [
    '../_base_/models/ressl_resnet50.py',
    '../_base_/datasets/in1k_two_views.py',
    '../_base_/datasets/in1k_val.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(
    optimizer=dict(lr=0.05, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
