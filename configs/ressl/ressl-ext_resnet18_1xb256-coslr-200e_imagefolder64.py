# The extended version on any folder of small images, as 64-px views. Configs for other backbones
# are in this folder.
_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/two_views_64px.py',
    '../_base_/datasets/val_64px.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(max_pool=True),
    predictor=dict(type='MLPNeck', hidden_channels=512, norm_cfg=dict(type='BN1d')),
    warmup=dict(type='InfoNCEWarmup', epochs=10, temperature=0.1, transition='switch'),
    memory=dict(size=16384),
    teacher=dict(momentum=0.996),
)
custom_hooks = [dict(type='ChannelsLastHook')]
