_base_ = [
    '../_base_/models/simmatch_wrn28.py',
    '../_base_/datasets/semi_32px.py',
    '../_base_/schedules/sgd_nesterov_fixmatch_1024ki.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(widen_factor=8),
    neck=dict(hidden_channels=512),
    alignment=dict(size=256),
)
train_dataloader = dict(
    sampler=dict(infinite=True),
    dataset=dict(
        labeled=dict(
            type='CIFAR100',
            data_root='data/cifar100',
            split='train',
            label_split='data/label_splits/cifar100_4pc.txt',
        ),
        unlabeled=dict(type='CIFAR100', data_root='data/cifar100', split='train'),
    ),
)
val_dataloader = dict(dataset=dict(type='CIFAR100', data_root='data/cifar100', split='test'))
data_preprocessor = dict(mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
optim_wrapper = dict(optimizer=dict(weight_decay=1e-3))

# Logging and checkpoints by iteration.
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5120))
log_processor = dict(by_epoch=False, custom_cfg=[])
custom_hooks = [dict(type='LabeledSetHook')]
# The projector has no gradient while the instance branch is off.
model_wrapper_cfg = dict(find_unused_parameters=True)
