# 250 labels of CIFAR-10 as an image folder, from the ReSSL checkpoint that mmrel ships. Labels:
# tools/dataset_converters/make_label_split.py CONFIG --per-class 25 --seed 0
_base_ = ['simmatch_resnet18-w16_imagefolder32_4pc.py']

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='mmrel://ressl-ext_resnet18-w16_1xb128-coslr-60e_cifar10',
            prefix='backbone.',
        )
    ),
)
train_dataloader = dict(
    dataset=dict(
        labeled=dict(
            data_root='data/cifar10_folder/train',
            label_split='data/label_splits/cifar10_folder_25pc.txt',
        ),
        unlabeled=dict(data_root='data/cifar10_folder/train'),
    )
)
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))

# Epochs of 625 steps.
train_cfg = dict(max_epochs=6, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
