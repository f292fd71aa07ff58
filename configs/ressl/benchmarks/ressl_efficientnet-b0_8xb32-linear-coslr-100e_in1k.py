_base_ = ['ressl_resnet50_8xb32-linear-coslr-100e_in1k.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='EfficientNet',
        arch='b0',
        init_cfg=dict(type='Pretrained', checkpoint='', prefix='backbone.'),
    )
)
