# Folders of 32-px images: shifts by a few pixels, flip, random erasing.
_base_ = ['imagefolder32_linear.py']

# num_classes=None: taken from the training folder.
data_preprocessor = dict(num_classes=None)
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    drop_last=True,
    dataset=dict(
        pipeline=[
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
    ),
)
