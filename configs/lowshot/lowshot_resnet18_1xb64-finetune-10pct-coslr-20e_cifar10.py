_base_ = [
    '../_base_/models/resnet18_small_finetune.py',
    '../_base_/datasets/linear_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/finetune_coslr_20e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        type='CIFAR10',
        data_root='data/cifar10',
        split='train',
        label_split='data/label_splits/cifar10_10pct.txt',
    ),
)
val_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='test'))
auto_scale_lr = dict(base_batch_size=64)
