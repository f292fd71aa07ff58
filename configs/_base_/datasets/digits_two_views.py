_base_ = ['two_views_32px.py']

# Digits are not flip-invariant and have no color.
train_dataloader = dict(
    dataset=dict(
        type='Digits',
        split='train',
        pipeline=[
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
                            grey_prob=0.0,
                            blur_prob=0.0,
                            flip_prob=0.0,
                        )
                    ],
                    [dict(type='WeakView', size=32, scale=(0.6, 1.0), flip_prob=0.0)],
                ],
            ),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = dict(dataset=dict(type='Digits', split='test'))

data_preprocessor = dict(mean=[77.8, 77.8, 77.8], std=[95.9, 95.9, 95.9])
