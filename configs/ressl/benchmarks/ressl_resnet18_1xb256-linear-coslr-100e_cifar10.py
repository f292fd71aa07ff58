_base_ = [
    '../../_base_/models/resnet18_small_linear.py',
    '../../_base_/datasets/linear_32px.py',
    '../../_base_/datasets/val_32px.py',
    '../../_base_/schedules/linear_coslr_100e.py',
    '../../_base_/default_runtime.py',
]

# Small images: a learning rate of 1.0 works slightly better than 0.3.
optim_wrapper = dict(optimizer=dict(lr=1.0))

train_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='train'))
val_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='test'))
