_base_ = ['ressl_resnet18_1xb256-linear-coslr-100e_imagefolder64.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        init_cfg=dict(type='Pretrained', checkpoint='', prefix='backbone.'),
    )
)
