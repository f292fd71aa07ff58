# Two views of the same kind: MoCo's first; SwitchRecipeHook switches to SimCLR's.
_base_ = ['in1k_two_views.py']

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[2],
        transforms=[[dict(type='ContrastiveView', size=224)]],
    ),
    dict(type='PackInputs'),
]
simclr_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[2],
        transforms=[
            [dict(type='ContrastiveView', size=224, scale=(0.08, 1.0), jitter=(0.8, 0.8, 0.8, 0.2))]
        ],
    ),
    dict(type='PackInputs'),
]

train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
