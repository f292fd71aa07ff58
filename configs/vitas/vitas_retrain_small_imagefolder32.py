# A stand-alone network of the small space.
_base_ = [
    '../_base_/models/searched_vit_small.py',
    '../_base_/datasets/vitas_imagefolder32.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

# num_classes=None: taken from the training folder.
model = dict(head=dict(num_classes=None))

train_cfg = dict(max_epochs=50, val_interval=10)
auto_scale_lr = dict(base_batch_size=64)

default_hooks = dict(checkpoint=dict(interval=10))
