# For 2 CPU cores and any folder of 32-px images.
_base_ = [
    '../_base_/models/ressl_resnet18_small.py',
    '../_base_/datasets/imagefolder32_two_views.py',
    '../_base_/schedules/sgd_coslr_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        stem_channels=16,
        base_channels=16,
        norm_cfg=dict(_delete_=True, type='BN'),
        # torchvision's initialization, as in the authors' code. How soon the embeddings spread
        # apart then depends on the seed (see README.md); the -zeroinit config avoids this.
        zero_init_residual=False,
        init_cfg=[
            dict(type='Kaiming', layer=['Conv2d']),
            dict(type='Constant', val=1, layer=['_BatchNorm']),
        ],
    ),
    head=dict(teacher_temperature=0.04),
    memory=dict(size=1024),
)
train_dataloader = dict(batch_size=64, num_workers=2)

default_hooks = dict(checkpoint=dict(interval=5))
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='InitialValHook')]
randomness = dict(seed=2)
