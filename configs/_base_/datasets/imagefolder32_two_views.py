_base_ = ['two_views_32px.py']

# Your folders, one subfolder per class.
train_dataloader = dict(dataset=dict(type='ImageFolder', data_root='data/train'))
val_dataloader = dict(dataset=dict(type='ImageFolder', data_root='data/test'))

# CIFAR-10 statistics; they work for natural images.
data_preprocessor = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])
