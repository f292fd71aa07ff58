# A super-transformer for folders of 32-px images that 2 CPU cores train in minutes.
_base_ = [
    '../_base_/models/vitas_supernet_small.py',
    '../_base_/datasets/vitas_imagefolder32.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

# Set num_classes to your number of classes.
model = dict(space=dict(num_classes=10))
# The search's held-out images (make_label_split.py writes the list once).
train_dataloader = dict(
    dataset=dict(without_split='data/label_splits/imagefolder32_heldout.txt'),
)
val_evaluator = dict(_delete_=True, type='SideAccuracy', topk=(1, 5))
# A step's path uses only some of the parameters.
model_wrapper_cfg = dict(find_unused_parameters=True)

train_cfg = dict(max_epochs=100, val_interval=10)
auto_scale_lr = dict(base_batch_size=64)

default_hooks = dict(checkpoint=dict(interval=10))
