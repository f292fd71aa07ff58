# The small super-transformer on scikit-learn's digits, which need no download.
_base_ = [
    '../_base_/models/vitas_supernet_small.py',
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
val_evaluator = dict(_delete_=True, type='SideAccuracy', topk=(1, 5))
# A step's path uses only some of the parameters.
model_wrapper_cfg = dict(find_unused_parameters=True)

train_cfg = dict(max_epochs=100, val_interval=10)
auto_scale_lr = dict(base_batch_size=64)

default_hooks = dict(checkpoint=dict(interval=10))
