# Two 224-px views of ImageNet of the same kind: MoCo's first; SwitchRecipeHook switches to
# SimCLR's.
data_root = 'data/imagenet'
data_preprocessor = dict(
    type='SelfSupDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[2],
        transforms=[[dict(type='ContrastiveView', size=224)]],
    ),
    dict(type='PackInputs'),
]
simclr_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[2],
        transforms=[
            [dict(type='ContrastiveView', size=224, scale=(0.08, 1.0), jitter=(0.8, 0.8, 0.8, 0.2))]
        ],
    ),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ImageNet', data_root=data_root, split='train', pipeline=train_pipeline),
)
# kNN on frozen features. The bank is the training set, read with the evaluation's pipeline.
val_cfg = dict(type='KNNValLoop', k=(20, 100, 200), temperature=0.07)
