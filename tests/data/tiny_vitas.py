# A super-transformer small enough that a command is tested in seconds.
_base_ = ['../../configs/vitas/vitas_supernet_small_imagefolder32.py']

model = dict(
    space=dict(depth=2, embed_dims=16, qkv_dims=48, mlp_dims=16, num_classes=3),
    sampler=dict(seed=5),
    # Mixed images, to try them.
    train_cfg=dict(
        _delete_=True,
        augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)],
    ),
)
data_preprocessor = dict(num_classes=3)
train_dataloader = dict(
    batch_size=8, num_workers=0, persistent_workers=False, dataset=dict(without_split=None)
)
val_dataloader = dict(batch_size=8, num_workers=0)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=2, val_interval=1)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=5))
