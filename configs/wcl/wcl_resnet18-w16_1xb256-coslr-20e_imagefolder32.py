# For 2 CPU cores and any folder of 32-px images.
_base_ = [
    '../_base_/models/wcl_resnet18_small.py',
    '../_base_/datasets/simclr_views_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/lars_coslr_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(stem_channels=16, base_channels=16))
train_dataloader = dict(num_workers=2)

optim_wrapper = dict(optimizer=dict(lr=1.2))  # 0.075 * sqrt(256)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=2, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=20, val_interval=5)
auto_scale_lr = dict(base_batch_size=256)

default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5))
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='InitialValHook'),
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=3, train_pipeline={{_base_.simclr_pipeline}})],
    ),
]
