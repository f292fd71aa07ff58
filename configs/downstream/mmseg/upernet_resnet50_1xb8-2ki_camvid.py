_base_ = [
    '_base_/resnet50.py',
    '_base_/encoder_decoder.py',
    '_base_/camvid.py',
    '_base_/schedule_2ki.py',
]

model = dict(
    data_preprocessor=dict(**_base_.pixels, **_base_.padding, test_cfg=dict(size_divisor=32)),
    backbone=_base_.backbone,
    decode_head=dict(
        type='UPerHead',
        in_channels=[256, 512, 1024, 2048],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
        num_classes=len(_base_.classes),
        ignore_index=_base_.ignore_index,
        norm_cfg=dict(type='SyncBN'),
    ),
)
