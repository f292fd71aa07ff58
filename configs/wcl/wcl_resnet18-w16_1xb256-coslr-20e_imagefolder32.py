# For 2 CPU cores and any folder of 32-px images.
_base_ = [
    '../_base_/models/wcl_resnet18_small.py',
    '../_base_/datasets/simclr_views_32px.py',
    '../_base_/schedules/lars_coslr_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(stem_channels=16, base_channels=16))
train_dataloader = dict(num_workers=2)

default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5))
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='InitialValHook'),
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=3, train_pipeline={{_base_.simclr_pipeline}})],
    ),
]
