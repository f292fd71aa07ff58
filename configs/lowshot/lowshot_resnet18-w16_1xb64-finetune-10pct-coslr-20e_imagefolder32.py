_base_ = [
    '../_base_/models/resnet18_small_finetune.py',
    '../_base_/datasets/linear_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/finetune_coslr_20e.py',
    '../_base_/default_runtime.py',
]

# num_classes=None: taken from the training folder.
model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    head=dict(in_channels=128, num_classes=None),
)
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    dataset=dict(label_split='data/label_splits/imagefolder32_10pct.txt'),
)
auto_scale_lr = dict(base_batch_size=64)
