_base_ = [
    '../_base_/models/searched_vit.py',
    '../_base_/datasets/vitas_imagefolder32.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

# One network of the small space; the training folder sets the number of classes.
model = dict(
    backbone=dict(
        img_size=32,
        patch_size=4,
        embed_dims=64,
        blocks=[dict(num_heads=4, qkv_dims=192, mlp_dims=192)] * 4,
        drop_path_rate=0.0,
    ),
    head=dict(in_channels=64, num_classes=None),
    # Mixup and CutMix need longer training.
    train_cfg=None,
)

train_cfg = dict(max_epochs=50, val_interval=10)
auto_scale_lr = dict(base_batch_size=64)

default_hooks = dict(checkpoint=dict(interval=10))
