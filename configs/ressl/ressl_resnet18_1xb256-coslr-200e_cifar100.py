_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/two_views_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(type='CIFAR100', data_root='data/cifar100', split='train'))
val_dataloader = dict(dataset=dict(type='CIFAR100', data_root='data/cifar100', split='test'))
data_preprocessor = dict(mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
custom_hooks = [dict(type='ChannelsLastHook')]
