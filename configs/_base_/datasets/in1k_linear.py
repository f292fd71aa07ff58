# 224-px views of ImageNet: one weak view for training, the central view for testing.
collate_fn = dict(type='default_collate')
data_root = 'data/imagenet'
data_preprocessor = dict(
    type='ClsDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='WeakView', size=224, scale=(0.08, 1.0)),
    dict(type='PackInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='CentralView', size=224, resize=256),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=False,
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
val_cfg = dict()
