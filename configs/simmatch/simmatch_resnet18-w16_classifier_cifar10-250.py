# The student of the SimMatch config for 250 labels of CIFAR-10 as a plain classifier, for
# evaluation, prediction and fine-tuning.
_base_ = ['simmatch_supervised_resnet18-w16_imagefolder32_4pc.py']

train_dataloader = dict(
    dataset=dict(
        data_root='data/cifar10_folder/train',
        label_split='data/label_splits/cifar10_folder_25pc.txt',
    )
)
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))

# As the supervised baseline on 250 labels: 195 epochs of 16 batches.
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=5, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=195, val_interval=39)
default_hooks = dict(checkpoint=dict(interval=39))
