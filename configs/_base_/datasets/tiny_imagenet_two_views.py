_base_ = ['two_views_64px.py']

root = 'data/tiny-imagenet-200'
train_dataloader = dict(dataset=dict(type='TinyImageNet', data_root=root, split='train'))
val_dataloader = dict(dataset=dict(type='TinyImageNet', data_root=root, split='val'))

data_preprocessor = dict(mean=[122.48, 114.26, 101.37], std=[70.63, 68.61, 71.93])
