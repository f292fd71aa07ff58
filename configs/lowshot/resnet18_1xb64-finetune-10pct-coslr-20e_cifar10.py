_base_ = [
    '../_base_/models/resnet18_small_finetune.py',
    '../_base_/datasets/cifar10_linear.py',
    '../_base_/schedules/finetune_coslr_20e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(
    batch_size=64, dataset=dict(label_split='data/label_splits/cifar10_10pct.txt')
)
auto_scale_lr = dict(base_batch_size=64)
