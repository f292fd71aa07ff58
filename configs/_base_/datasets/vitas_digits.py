# scikit-learn's digits: shifts by a few pixels, no flip.
_base_ = ['digits_linear.py']

data_preprocessor = dict(num_classes=10)
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    drop_last=True,
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='PaddedCropView', size=32, flip_prob=0.0),
            dict(type='PackInputs'),
        ]
    ),
)
