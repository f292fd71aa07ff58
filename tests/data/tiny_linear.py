# A linear classifier on the network of tiny.py.
_base_ = [
    '../../configs/ressl/benchmarks/ressl_resnet18-w16_1xb256-linear-coslr-100e_imagefolder32.py'
]

model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    head=dict(num_classes=3),
)
train_dataloader = dict(batch_size=8, num_workers=0, persistent_workers=False)
val_dataloader = dict(batch_size=8, num_workers=0)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=12, val_interval=12)
