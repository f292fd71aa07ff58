_base_ = [
    '../../_base_/models/resnet18_small_linear.py',
    '../../_base_/datasets/linear_64px.py',
    '../../_base_/datasets/val_64px.py',
    '../../_base_/schedules/linear_coslr_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(backbone=dict(max_pool=True), head=dict(num_classes=200))
# Small images: a learning rate of 1.0 works slightly better than 0.3.
optim_wrapper = dict(optimizer=dict(lr=1.0))

train_dataloader = dict(
    dataset=dict(type='TinyImageNet', data_root='data/tiny-imagenet-200', split='train')
)
val_dataloader = dict(
    dataset=dict(type='TinyImageNet', data_root='data/tiny-imagenet-200', split='val')
)
data_preprocessor = dict(mean=[122.48, 114.26, 101.37], std=[70.63, 68.61, 71.93])
