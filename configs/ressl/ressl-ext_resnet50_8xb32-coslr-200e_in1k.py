# The extended version: BYOL's predictor, and InfoNCE in the first epochs. The length and the
# temperature of the warm-up are our choice.
_base_ = [
    '../_base_/models/ressl_resnet50.py',
    '../_base_/datasets/in1k_two_views.py',
    '../_base_/datasets/in1k_val.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    predictor=dict(type='MLPNeck', hidden_channels=4096, norm_cfg=dict(type='BN1d')),
    warmup=dict(type='InfoNCEWarmup', epochs=10, temperature=0.1, transition='switch'),
)

optim_wrapper = dict(
    optimizer=dict(lr=0.05, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
