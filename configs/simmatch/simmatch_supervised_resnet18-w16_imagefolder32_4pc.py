# Supervised baseline for SimMatch: the same network, view, optimizer and batch of labels, but no
# unlabeled images. 1040 epochs of 3 batches of 40 labels are the 3,120 steps that SimMatch takes
# on 5,000 images.
_base_ = [
    '../_base_/models/resnet18_small_finetune.py',
    '../_base_/datasets/linear_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/sgd_nesterov_coslr_400e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNetSmallImage',
        depth=18,
        stem_channels=16,
        base_channels=16,
        norm_cfg=dict(type='BN'),
    ),
    head=dict(in_channels=128, num_classes=None),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    dataset=dict(
        label_split='data/label_splits/imagefolder32_4pc.txt',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='PaddedCropView', size=32),
            dict(type='PackInputs'),
        ],
    ),
)

optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=26, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=26, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=1040, val_interval=130)
auto_scale_lr = dict(base_batch_size=16)

default_hooks = dict(checkpoint=dict(interval=130))
custom_hooks = [dict(type='ChannelsLastHook')]
