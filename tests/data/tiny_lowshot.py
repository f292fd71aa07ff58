# Low-shot fine-tuning, small enough that a command is tested in seconds.
_base_ = [
    '../../configs/lowshot/lowshot_resnet18-w16_1xb64-finetune-10pct-coslr-20e_imagefolder32.py'
]

model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    head=dict(in_channels=64, num_classes=3),
)
train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False)
val_dataloader = dict(batch_size=8, num_workers=0)
