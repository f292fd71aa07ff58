# Two views of 64-px images: strong for the student, weak for the teacher.
# Your folder, one subfolder per class; configs for other datasets change the type.

# ImageNet statistics; they work for natural images.
data_preprocessor = dict(
    type='SelfSupDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[
            [dict(type='ContrastiveView', size=64)],
            [dict(type='WeakView', size=64)],
        ],
    ),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=256,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ImageFolder', data_root='data/train', pipeline=train_pipeline),
)
# kNN on frozen features. The bank is the training set, read with the evaluation's pipeline.
val_cfg = dict(type='KNNValLoop', k=(20, 100, 200), temperature=0.07)
