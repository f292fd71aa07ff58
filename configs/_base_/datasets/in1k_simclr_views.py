# Two 224-px views of ImageNet of the same kind: MoCo's first; SwitchRecipeHook switches to
# SimCLR's.
collate_fn = dict(type='default_collate')
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
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='CentralView', size=224, resize=256),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=collate_fn,
    dataset=dict(type='ImageNet', data_root=data_root, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=collate_fn,
    dataset=dict(
        type='ImageNet', data_root=data_root, split='val', pipeline=val_pipeline, test_mode=True
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
val_cfg = dict(type='KNNValLoop', k=(20, 100, 200), temperature=0.07)
