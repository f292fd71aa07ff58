_base_ = ['wcl_resnet50_32xb128-coslr-100e_in1k.py']

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=10, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=200)
