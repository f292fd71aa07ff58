_base_ = ['two_views_64px.py']

# Your folders, one subfolder per class.
train_dataloader = dict(dataset=dict(type='ImageFolder', data_root='data/train'))
val_dataloader = dict(dataset=dict(type='ImageFolder', data_root='data/test'))

# ImageNet statistics; they work for natural images.
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
