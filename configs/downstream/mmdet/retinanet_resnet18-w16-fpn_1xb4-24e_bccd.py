_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/default_runtime.py',
    '../_base_/resnet18-w16.py',
    '_base_/bccd.py',
    '_base_/schedule_24e.py',
]

model = dict(
    data_preprocessor=dict(**_base_.pixels, pad_size_divisor=32),
    backbone=dict(_delete_=True, **_base_.backbone),
    neck=dict(
        in_channels=[16, 32, 64, 128],
        # The last norms of a pre-trained network have gains of 0.2 to 0.4, and a plain neck would
        # pass on such small features: a norm brings them to the size of a new network's.
        norm_cfg=dict(type='BN'),
        start_level=2,
        out_channels=64,
        add_extra_convs='on_output',
        num_outs=4,
    ),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        in_channels=64,
        stacked_convs=2,
        feat_channels=64,
        anchor_generator=dict(octave_base_scale=8, strides=[4, 8, 16, 32]),
    ),
)
