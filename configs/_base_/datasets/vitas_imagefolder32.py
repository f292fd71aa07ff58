# Folders of 32-px images: shifts by a few pixels, flip, random erasing.

# CIFAR-10 statistics; they work for natural images. num_classes=None: taken from the training
# folder.
data_preprocessor = dict(
    type='ClsDataPreprocessor',
    mean=[125.307, 122.961, 113.8575],
    std=[51.5865, 50.847, 51.255],
    num_classes=None,
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='PaddedCropView', size=32),
    dict(
        type='ArrayTransforms',
        transforms=[
            dict(
                type='RandomErasing',
                erase_prob=0.25,
                mode='rand',
                min_area_ratio=0.02,
                max_area_ratio=1 / 3,
                fill_color=[113.8575, 122.961, 125.307],
                fill_std=[51.255, 50.847, 51.5865],
            )
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
    dataset=dict(type='ImageFolder', data_root='data/train', pipeline=train_pipeline),
)
val_cfg = dict()
