_base_ = [
    '../_base_/models/simmatch_wrn28.py',
    '../_base_/datasets/cifar100_semi.py',
    '../_base_/schedules/sgd_nesterov_fixmatch_1024ki.py',
    '../_base_/default_runtime_by_iter.py',
]

model = dict(
    backbone=dict(widen_factor=8),
    num_classes=100,
    neck=dict(hidden_channels=512),
    memory=dict(size=400),
    alignment=dict(size=256),
)
train_dataloader = dict(
    sampler=dict(infinite=True),
    dataset=dict(labeled=dict(label_split='data/label_splits/cifar100_4pc.txt')),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-3))
custom_hooks = [dict(type='LabeledSetHook')]
# The projector has no gradient while the instance branch is off.
model_wrapper_cfg = dict(find_unused_parameters=True)
