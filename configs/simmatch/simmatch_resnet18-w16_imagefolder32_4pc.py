# For 2 CPU cores and any folder of 32-px images: 4 labels per class.
_base_ = [
    '../_base_/models/simmatch_wrn28.py',
    '../_base_/datasets/semi_32px.py',
    '../_base_/schedules/sgd_nesterov_coslr_400e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNetSmallImage',
        depth=18,
        stem_channels=16,
        base_channels=16,
        norm_cfg=dict(type='BN'),
    ),
    # ImageNet's threshold and weights: in such a short run hardly any image passes CIFAR's 0.95.
    head=dict(threshold=0.7, loss_weight=10.0),
    instance_head=dict(loss_weight=5.0, warmup=dict(iters=None, epochs=1)),
    # The run has a few thousand steps, so the teacher follows within hundreds of steps.
    teacher=dict(momentum=0.99),
)
train_dataloader = dict(
    num_workers=2,
    sampler=dict(labeled_batch=16, mu=4),  # batches of 80
    # Your folders, one subfolder per class; labeled and unlabeled images may share a folder.
    dataset=dict(
        labeled=dict(
            type='ImageFolder',
            data_root='data/train',
            balanced=False,
            label_split='data/label_splits/imagefolder32_4pc.txt',
        ),
        unlabeled=dict(type='ImageFolder', data_root='data/train'),
    ),
)
val_dataloader = dict(dataset=dict(type='ImageFolder', data_root='data/test'))
# CIFAR-10 statistics; they work for natural images.
data_preprocessor = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])

optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=40, val_interval=5)
auto_scale_lr = dict(base_batch_size=80)

default_hooks = dict(checkpoint=dict(interval=5))
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='InitialValHook'),
    dict(type='LabeledSetHook'),
]
# The projector has no gradient while the instance branch is off.
model_wrapper_cfg = dict(find_unused_parameters=True)
