_base_ = ['ressl-ext_resnet50_8xb32-coslr-200e_in1k.py']

model = dict(backbone=dict(_delete_=True, type='EfficientNet', arch='b0'))
