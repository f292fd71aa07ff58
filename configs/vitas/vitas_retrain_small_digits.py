# A stand-alone network of the small space.
_base_ = [
    '../_base_/models/searched_vit_small.py',
    '../_base_/datasets/digits_linear.py',
    '../_base_/datasets/digits_val.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(num_classes=10)
# Shifts by a few pixels, no flip.
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='PaddedCropView', size=32, flip_prob=0.0),
    dict(type='PackInputs'),
]
train_dataloader = dict(drop_last=True, dataset=dict(pipeline=train_pipeline))

train_cfg = dict(max_epochs=50, val_interval=10)
auto_scale_lr = dict(base_batch_size=64)

default_hooks = dict(checkpoint=dict(interval=10))
