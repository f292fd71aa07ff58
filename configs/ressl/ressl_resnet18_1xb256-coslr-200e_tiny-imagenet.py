_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/two_views_64px.py',
    '../_base_/datasets/val_64px.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(max_pool=True),
    memory=dict(size=16384),
    teacher=dict(momentum=0.996),
)

train_dataloader = dict(
    dataset=dict(type='TinyImageNet', data_root='data/tiny-imagenet-200', split='train')
)
val_dataloader = dict(
    dataset=dict(type='TinyImageNet', data_root='data/tiny-imagenet-200', split='val')
)
data_preprocessor = dict(mean=[122.48, 114.26, 101.37], std=[70.63, 68.61, 71.93])
custom_hooks = [dict(type='ChannelsLastHook')]
