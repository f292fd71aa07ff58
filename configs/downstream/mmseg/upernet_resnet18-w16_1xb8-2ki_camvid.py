_base_ = [
    '../_base_/resnet18-w16.py',
    '_base_/encoder_decoder.py',
    '_base_/camvid.py',
    '_base_/schedule_2ki.py',
]

model = dict(
    data_preprocessor=dict(**_base_.pixels, **_base_.padding, test_cfg=dict(size_divisor=8)),
    backbone=_base_.backbone,
    decode_head=dict(
        type='UPerHead',
        # Without the first stage, which has full image resolution.
        in_channels=[32, 64, 128],
        in_index=[1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=64,
        num_classes=len(_base_.classes),
        ignore_index=_base_.ignore_index,
        norm_cfg=dict(type='BN'),
    ),
)
