# The demo: the extended version on scikit-learn's digits, some minutes on 2 CPU cores.
_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/digits_two_views.py',
    '../_base_/datasets/digits_val.py',
    '../_base_/schedules/sgd_coslr_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(stem_channels=16, base_channels=16, norm_cfg=dict(_delete_=True, type='BN')),
    # Digits look more alike than photos: without BN in the projector, all embeddings collapse
    # to one point within the first epochs.
    neck=dict(norm_cfg=dict(type='BN1d')),
    head=dict(teacher_temperature=0.02),
    predictor=dict(type='MLPNeck', hidden_channels=512, norm_cfg=dict(type='BN1d')),
    warmup=dict(type='InfoNCEWarmup', epochs=14, temperature=0.1),
    memory=dict(size=512),
)
train_cfg = dict(val_interval=2)

default_hooks = dict(logger=dict(interval=11), checkpoint=dict(interval=5))
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='InitialValHook')]
