# Training of a stand-alone network of the toy space, but for the network.
_base_ = [
    '../../configs/ressl/benchmarks/ressl_resnet18-w16_1xb256-linear-coslr-100e_imagefolder32.py'
]

custom_imports = dict(imports=['tests.data.toy_supernet'])
model = dict(
    _delete_=True,
    type='ImageClassifier',
    backbone=dict(type='ToyMLP', widths=[16, 16], dropout=0.1),
    head=dict(
        type='LinearClsHead',
        in_channels=16,
        num_classes=3,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1),
    ),
)
train_dataloader = dict(batch_size=16, num_workers=0, persistent_workers=False)
val_dataloader = dict(batch_size=20, num_workers=0, persistent_workers=False)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=2, val_interval=2)
custom_hooks = []
