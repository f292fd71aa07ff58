_base_ = ['semi_32px.py']

train_dataloader = dict(
    dataset=dict(
        labeled=dict(type='CIFAR10', data_root='data/cifar10', split='train'),
        unlabeled=dict(type='CIFAR10', data_root='data/cifar10', split='train'),
    )
)
val_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='test'))

data_preprocessor = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])
