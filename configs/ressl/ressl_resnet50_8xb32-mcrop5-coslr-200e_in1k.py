# Five strong views of decreasing size for the student, one weak view for the teacher.
_base_ = ['ressl_resnet50_8xb32-coslr-200e_in1k.py']

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='MultiView',
        num_views=[1, 1, 1, 1, 1, 1],
        transforms=[
            [dict(type='ContrastiveView', size=224, scale=(0.2, 1.0))],
            [dict(type='ContrastiveView', size=192, scale=(0.172, 0.86))],
            [dict(type='ContrastiveView', size=160, scale=(0.143, 0.715))],
            [dict(type='ContrastiveView', size=128, scale=(0.114, 0.571))],
            [dict(type='ContrastiveView', size=96, scale=(0.086, 0.429))],
            [dict(type='WeakView', size=224)],
        ],
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
