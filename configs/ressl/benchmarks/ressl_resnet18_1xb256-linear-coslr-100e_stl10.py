_base_ = [
    '../../_base_/models/resnet18_small_linear.py',
    '../../_base_/datasets/linear_64px.py',
    '../../_base_/datasets/val_64px.py',
    '../../_base_/schedules/linear_coslr_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(backbone=dict(max_pool=True))
# Small images: a learning rate of 1.0 works slightly better than 0.3.
optim_wrapper = dict(optimizer=dict(lr=1.0))

train_dataloader = dict(dataset=dict(type='STL10', data_root='data/stl10', split='train'))
val_dataloader = dict(dataset=dict(type='STL10', data_root='data/stl10', split='test'))
data_preprocessor = dict(mean=[112.44, 109.11, 101.09], std=[56.91, 55.97, 57.69])
