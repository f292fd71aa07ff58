# The small space with 4-px patches on CIFAR-10 as an image folder, in minutes on 2 CPU cores.
# Held-out images: tools/dataset_converters/make_label_split.py CONFIG --per-class 200
_base_ = [
    '../_base_/models/vitas_supernet_small.py',
    '../_base_/datasets/vitas_imagefolder32.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(space=dict(patch_sizes=(4,)))
train_dataloader = dict(
    dataset=dict(
        data_root='data/cifar10_folder/train',
        without_split='data/label_splits/cifar10_folder_heldout.txt',
    )
)
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
val_evaluator = dict(_delete_=True, type='SideAccuracy', topk=(1, 5))
# A step's path uses only some of the parameters.
model_wrapper_cfg = dict(find_unused_parameters=True)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=2, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=12, val_interval=6)
auto_scale_lr = dict(base_batch_size=64)

default_hooks = dict(checkpoint=dict(interval=10))
