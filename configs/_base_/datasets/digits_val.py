# Evaluation on the test images of scikit-learn's digits: the central view.
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='CentralView', size=32),
    dict(type='PackInputs'),
]
val_dataloader = dict(
    batch_size=256,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='Digits', split='test', pipeline=val_pipeline, test_mode=True),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
