# scikit-learn's digits: one weak view for training. No flip.
data_preprocessor = dict(
    type='ClsDataPreprocessor', mean=[77.8, 77.8, 77.8], std=[95.9, 95.9, 95.9]
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='WeakView', size=32, scale=(0.6, 1.0), flip_prob=0.0),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='Digits', split='train', pipeline=train_pipeline),
)
val_cfg = dict()
