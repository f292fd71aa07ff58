# SimMatch, small enough that a command is tested in seconds.
_base_ = ['../../configs/simmatch/simmatch_resnet18-w16_imagefolder32_4pc.py']

model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    num_classes=3,
    head=dict(threshold=0.4),
    neck=dict(hidden_channels=16, out_channels=8),
)
train_dataloader = dict(
    num_workers=1,
    sampler=dict(labeled_batch=4, mu=2),
)
val_dataloader = dict(batch_size=8, num_workers=0)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=4, val_interval=2)
default_hooks = dict(logger=dict(interval=2), checkpoint=dict(interval=1, max_keep_ckpts=4))
