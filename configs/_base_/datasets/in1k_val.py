# Evaluation on ImageNet's validation images: the central 224 px.
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='CentralView', size=224, resize=256),
    dict(type='PackInputs'),
]
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageNet',
        data_root='data/imagenet',
        split='val',
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
