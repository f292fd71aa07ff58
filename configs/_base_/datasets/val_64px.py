# Evaluation on 64-px images: the central view.
# Your folder, one subfolder per class; configs for other datasets change the type.
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='CentralView', size=64),
    dict(type='PackInputs'),
]
val_dataloader = dict(
    batch_size=256,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ImageFolder', data_root='data/test', pipeline=val_pipeline, test_mode=True),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
