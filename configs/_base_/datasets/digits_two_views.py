# Two views of scikit-learn's digits, which are not flip-invariant and have no color: strong for the
# student, weak for the teacher.
data_preprocessor = dict(
    type='SelfSupDataPreprocessor', mean=[77.8, 77.8, 77.8], std=[95.9, 95.9, 95.9]
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[
            [
                dict(
                    type='ContrastiveView',
                    size=32,
                    scale=(0.6, 1.0),
                    jitter=(0.4, 0.4, 0.0, 0.0),
                    gray_prob=0.0,
                    blur_prob=0.0,
                    flip_prob=0.0,
                )
            ],
            [dict(type='WeakView', size=32, scale=(0.6, 1.0), flip_prob=0.0)],
        ],
    ),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='Digits', split='train', pipeline=train_pipeline),
)
# kNN on frozen features. The bank is the training set, read with the evaluation's pipeline.
val_cfg = dict(type='KNNValLoop', k=(20, 100, 200), temperature=0.07)
