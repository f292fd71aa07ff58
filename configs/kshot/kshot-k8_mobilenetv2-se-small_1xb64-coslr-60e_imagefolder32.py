# For 2 CPU cores and any folder of 32-px images. Set num_classes to your number of classes.
_base_ = [
    '../_base_/models/kshot_mobilenetv2_se_small.py',
    '../_base_/datasets/linear_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/kshot_coslr_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(k=8, space=dict(num_classes=10))
# Without the search's held-out images (make_label_split.py writes the list once).
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    drop_last=True,
    dataset=dict(without_split='data/label_splits/imagefolder32_heldout.txt'),
)
# The model averages each step's gradients over the ranks. Its val path gets BN statistics.
model_wrapper_cfg = dict(type='mmrel.ReplicaParallel')
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PathCalibrationHook')]
