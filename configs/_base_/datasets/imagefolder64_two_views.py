_base_ = ['two_views_64px.py']

# Your folders, one sub-folder a class.
train_dataloader = dict(dataset=dict(type='ImageFolder', data_root='data/train'))
val_dataloader = dict(dataset=dict(type='ImageFolder', data_root='data/test'))

# Statistics of ImageNet; they do for natural images.
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
