_base_ = [
    '../_base_/models/searched_vit.py',
    '../_base_/datasets/digits_linear.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

# One network of the small space.
model = dict(
    backbone=dict(
        img_size=32,
        patch_size=4,
        embed_dims=64,
        blocks=[dict(num_heads=4, qkv_dims=192, mlp_dims=192)] * 4,
        drop_path_rate=0.0,
    ),
    head=dict(in_channels=64, num_classes=10),
    # Mixup and CutMix need longer training.
    train_cfg=None,
)
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
