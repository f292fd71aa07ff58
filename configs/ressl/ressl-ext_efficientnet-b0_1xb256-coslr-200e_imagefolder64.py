_base_ = ['ressl-ext_resnet18_1xb256-coslr-200e_imagefolder64.py']

model = dict(backbone=dict(_delete_=True, type='EfficientNet', arch='b0'))
