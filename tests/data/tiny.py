# The imagefolder32 config, small enough that a command is tested in seconds.
_base_ = ['../../configs/ressl/ressl_resnet18-w16_1xb64-coslr-20e_imagefolder32.py']

model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    neck=dict(hidden_channels=16, out_channels=8),
    memory=dict(size=20),
    batch_shuffle=False,  # its order of sums would hide behind rounding
)
train_dataloader = dict(batch_size=8, num_workers=1)
val_dataloader = dict(batch_size=8, num_workers=0)
val_cfg = dict(k=(3, 200))
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=4, val_interval=2)
default_hooks = dict(logger=dict(interval=2), checkpoint=dict(interval=1, max_keep_ckpts=2))
