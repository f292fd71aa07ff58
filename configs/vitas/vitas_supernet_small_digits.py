# The small super-transformer on scikit-learn's digits, which need no download.
_base_ = [
    '../_base_/models/vitas_supernet.py',
    '../_base_/datasets/vitas_digits.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    space=dict(
        _delete_=True,
        type='ViTASSpace',
        image_size=32,
        patch_sizes=(4, 8),
        heads=(2, 4),
        embed_percents=(0.5, 0.75, 1.0),
        attn_percents=(0.5, 1.0),
        mlp_percents=(0.5, 1.0),
        embed_dims=64,
        qkv_dims=192,
        mlp_dims=192,
        depth=4,
        num_classes=10,
        identity_probability=0.2,
    ),
    # Mixup and CutMix need longer training.
    train_cfg=None,
)
val_evaluator = dict(_delete_=True, type='SideAccuracy', topk=(1, 5))
# A step's path uses only some of the parameters.
model_wrapper_cfg = dict(find_unused_parameters=True)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-5,
        begin=5,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=100, val_interval=10)
auto_scale_lr = dict(base_batch_size=64)

default_hooks = dict(checkpoint=dict(interval=10))
