_base_ = ['semi_32px.py']

train_dataloader = dict(
    dataset=dict(
        labeled=dict(type='CIFAR100', data_root='data/cifar100', split='train'),
        unlabeled=dict(type='CIFAR100', data_root='data/cifar100', split='train'),
    )
)
val_dataloader = dict(dataset=dict(type='CIFAR100', data_root='data/cifar100', split='test'))

data_preprocessor = dict(mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
