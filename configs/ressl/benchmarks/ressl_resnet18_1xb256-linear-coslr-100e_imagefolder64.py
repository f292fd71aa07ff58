_base_ = [
    '../../_base_/models/resnet18_small_linear.py',
    '../../_base_/datasets/linear_64px.py',
    '../../_base_/datasets/val_64px.py',
    '../../_base_/schedules/linear_coslr_100e.py',
    '../../_base_/default_runtime.py',
]

# num_classes=None: taken from the training folder.
model = dict(backbone=dict(max_pool=True), head=dict(num_classes=None))
# Small images: a learning rate of 1.0 works slightly better than 0.3.
optim_wrapper = dict(optimizer=dict(lr=1.0))
