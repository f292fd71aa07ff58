# The extended version for 2 CPU cores and any folder of 32-px images: the best of the settings
# that we tried (docs/ressl_extended.md).
_base_ = [
    '../_base_/models/ressl_resnet18_w16.py',
    '../_base_/datasets/two_views_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/sgd_coslr_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(teacher_temperature=0.02),
    predictor=dict(type='MLPNeck', hidden_channels=512, norm_cfg=dict(type='BN1d')),
    warmup=dict(type='InfoNCEWarmup', epochs=14, temperature=0.1),
)
train_dataloader = dict(batch_size=64, num_workers=2)

default_hooks = dict(checkpoint=dict(interval=5))
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='InitialValHook')]
