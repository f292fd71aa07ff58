# Two views of the same kind: MoCo's first; SwitchRecipeHook switches to SimCLR's. No blur.
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
        num_views=[2],
        transforms=[[dict(type='ContrastiveView', size=32, blur_prob=0.0)]],
    ),
    dict(type='PackInputs'),
]
simclr_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[2],
        transforms=[
            [
                dict(
                    type='ContrastiveView',
                    size=32,
                    scale=(0.08, 1.0),
                    jitter=(0.8, 0.8, 0.8, 0.2),
                    blur_prob=0.0,
                )
            ]
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
