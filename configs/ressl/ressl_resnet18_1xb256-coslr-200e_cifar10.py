_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/two_views_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='train'))
val_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='test'))
custom_hooks = [dict(type='ChannelsLastHook')]
