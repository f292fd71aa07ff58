_base_ = ['semi_32px.py']

# Your folders, one subfolder per class; labeled and unlabeled images may share a folder.
train_dataloader = dict(
    dataset=dict(
        labeled=dict(type='ImageFolder', data_root='data/train', balanced=False),
        unlabeled=dict(type='ImageFolder', data_root='data/train'),
    )
)
val_dataloader = dict(dataset=dict(type='ImageFolder', data_root='data/test'))

# CIFAR-10 statistics; they work for natural images.
data_preprocessor = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])
