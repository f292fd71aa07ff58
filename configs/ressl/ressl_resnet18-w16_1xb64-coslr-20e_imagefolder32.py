# For 2 CPU cores and any folder of 32-px images.
_base_ = [
    '../_base_/models/ressl_resnet18_w16.py',
    '../_base_/datasets/two_views_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/sgd_coslr_20e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=64, num_workers=2)

default_hooks = dict(checkpoint=dict(interval=5))
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='InitialValHook')]
randomness = dict(seed=2)
