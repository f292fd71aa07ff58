# Two 224-px views of ImageNet: strong for the student, weak for the teacher.
data_root = 'data/imagenet'
data_preprocessor = dict(
    type='SelfSupDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[
            [dict(type='ContrastiveView', size=224)],
            [dict(type='WeakView', size=224)],
        ],
    ),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
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
