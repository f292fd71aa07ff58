# Labeled and unlabeled 32-px images with FixMatch's views. Configs set the datasets and the mean
# and std of their images.
collate_fn = dict(type='default_collate')
data_preprocessor = dict(type='SemiSupervisedDataPreprocessor')

labeled_pipeline = [
    dict(type='LoadImage'),
    dict(type='PaddedCropView', size=32),
    dict(type='PackInputs'),
]
unlabeled_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[
            [
                dict(type='PaddedCropView', size=32),
                dict(type='RandAugmentView', magnitude=10, levels=10, random_magnitude=True),
                dict(type='CutoutView', size=16),
            ],
            [dict(type='PaddedCropView', size=32)],
        ],
    ),
    dict(type='PackInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='CentralView', size=32),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    # Batches of 64 labeled and 7 x 64 unlabeled images: 512.
    sampler=dict(type='SemiSupervisedSampler', labeled_batch=64, mu=7),
    collate_fn=dict(type='mmrel.semi_supervised_collate'),
    dataset=dict(
        type='SemiSupervisedDataset',
        labeled=dict(pipeline=labeled_pipeline),
        unlabeled=dict(pipeline=unlabeled_pipeline),
    ),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=collate_fn,
    dataset=dict(pipeline=val_pipeline, test_mode=True),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
val_cfg = dict(type='StudentTeacherValLoop', networks=('student', 'teacher'))
