# Two views of the same kind: MoCo's first; SwitchRecipeHook switches to SimCLR's. No blur.
_base_ = ['imagefolder32_two_views.py']

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

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
