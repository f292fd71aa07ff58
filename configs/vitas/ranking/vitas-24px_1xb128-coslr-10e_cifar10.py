# A network of the 24-px space, trained alone on the images that its supernet sees and tested on
# CIFAR-10's test images: the truth that a supernet is ranked against (docs/ranking.md).
_base_ = [
    '../../_base_/models/searched_vit_small.py',
    '../../_base_/datasets/cached_24px.py',
    '../../_base_/schedules/adamw_coslr_300e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        img_size=24,
        embed_dims=48,
        blocks=[dict(num_heads=4, qkv_dims=144, mlp_dims=144)] * 4,
    ),
    head=dict(in_channels=48),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=1, convert_to_iter_based=True),
]
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test', label_split=None))

train_cfg = dict(max_epochs=10, val_interval=10)
auto_scale_lr = dict(base_batch_size=128)
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=1))
