_base_ = [
    '../_base_/models/simmatch_wrn28.py',
    '../_base_/datasets/semi_32px.py',
    '../_base_/schedules/sgd_nesterov_fixmatch_1024ki.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(
    sampler=dict(infinite=True),
    dataset=dict(
        labeled=dict(
            type='CIFAR10',
            data_root='data/cifar10',
            split='train',
            label_split='data/label_splits/cifar10_25pc.txt',
        ),
        unlabeled=dict(type='CIFAR10', data_root='data/cifar10', split='train'),
    ),
)
val_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='test'))
data_preprocessor = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])

# Logging and checkpoints by iteration.
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5120))
log_processor = dict(by_epoch=False, custom_cfg=[])
custom_hooks = [dict(type='LabeledSetHook')]
# The projector has no gradient while the instance branch is off.
model_wrapper_cfg = dict(find_unused_parameters=True)
