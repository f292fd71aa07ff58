# Two views of 32-px images: strong for the student, weak for the teacher. No blur.
# Your folder, one subfolder per class; configs for other datasets change the type.

# CIFAR-10 statistics; they work for natural images.
data_preprocessor = dict(
    type='SelfSupDataPreprocessor',
    mean=[125.307, 122.961, 113.8575],
    std=[51.5865, 50.847, 51.255],
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[
            [dict(type='ContrastiveView', size=32, blur_prob=0.0)],
            [dict(type='WeakView', size=32)],
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
