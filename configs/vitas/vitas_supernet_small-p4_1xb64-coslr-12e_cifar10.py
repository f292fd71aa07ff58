# The small space with 4-px patches on CIFAR-10 as an image folder, in minutes on 2 CPU cores.
# Held-out images: tools/dataset_converters/make_label_split.py CONFIG --per-class 200
_base_ = ['vitas_supernet_small_imagefolder32.py']

model = dict(space=dict(patch_sizes=(4,)))
train_cfg = dict(max_epochs=12, val_interval=6)

train_dataloader = dict(
    dataset=dict(
        data_root='data/cifar10_folder/train',
        without_split='data/label_splits/cifar10_folder_heldout.txt',
    )
)
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=2, convert_to_iter_based=True),
]
