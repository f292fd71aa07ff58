# 224-px views of ImageNet: a labeled subset, and all images unlabeled.
collate_fn = dict(type='default_collate')
data_root = 'data/imagenet'
data_preprocessor = dict(
    type='SemiSupervisedDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
)

labeled_pipeline = [
    dict(type='LoadImage'),
    dict(type='WeakView', size=224),
    dict(type='PackInputs'),
]
unlabeled_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[
            [dict(type='ContrastiveView', size=224)],
            # RandAugment instead: [dict(type='WeakView', size=224), dict(type='RandAugmentView')],
            [dict(type='WeakView', size=224)],
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
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    # Batches of 8 labeled and 5 x 8 unlabeled images: 48.
    sampler=dict(type='SemiSupervisedSampler', labeled_batch=8, mu=5),
    collate_fn=dict(type='mmrel.semi_supervised_collate'),
    dataset=dict(
        type='SemiSupervisedDataset',
        labeled=dict(
            type='ImageNet',
            data_root=data_root,
            split='train',
            label_split='data/label_splits/in1k_1pct.txt',
            balanced=False,  # a list may have slightly different numbers per class
            pipeline=labeled_pipeline,
        ),
        unlabeled=dict(
            type='ImageNet', data_root=data_root, split='train', pipeline=unlabeled_pipeline
        ),
    ),
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
val_cfg = dict(type='StudentTeacherValLoop', networks=('student', 'teacher'))
