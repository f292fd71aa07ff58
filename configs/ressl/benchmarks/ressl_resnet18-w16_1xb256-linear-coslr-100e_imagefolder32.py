_base_ = [
    '../../_base_/models/resnet18_small_linear.py',
    '../../_base_/datasets/linear_32px.py',
    '../../_base_/datasets/val_32px.py',
    '../../_base_/schedules/linear_coslr_100e.py',
    '../../_base_/default_runtime.py',
]

# num_classes=None: taken from the training folder.
model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    head=dict(num_classes=None),
)
train_dataloader = dict(num_workers=2)
# Small images: a learning rate of 1.0 works slightly better than 0.3.
optim_wrapper = dict(optimizer=dict(lr=1.0))
