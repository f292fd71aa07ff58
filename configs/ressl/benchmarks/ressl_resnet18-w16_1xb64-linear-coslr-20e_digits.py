_base_ = [
    '../../_base_/models/resnet18_small_linear.py',
    '../../_base_/datasets/digits_linear.py',
    '../../_base_/datasets/digits_val.py',
    '../../_base_/schedules/linear_coslr_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(backbone=dict(stem_channels=16, base_channels=16), head=dict(num_classes=10))
optim_wrapper = dict(optimizer=dict(lr=1.0))
train_cfg = dict(max_epochs=20, val_interval=5)
auto_scale_lr = dict(base_batch_size=64)
