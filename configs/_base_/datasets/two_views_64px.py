# Two views of 64-px images (Tiny ImageNet, STL-10): strong for the student, weak for the teacher.
_base_ = ['two_views_32px.py']

linear_pipeline = [
    dict(type='LoadImage'),
    dict(type='WeakView', size=64),
    dict(type='PackInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='CentralView', size=64),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(
                type='MultiView',
                num_views=[1, 1],
                transforms=[
                    [dict(type='ContrastiveView', size=64)],
                    [dict(type='WeakView', size=64)],
                ],
            ),
            dict(type='PackInputs'),
        ]
    )
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
