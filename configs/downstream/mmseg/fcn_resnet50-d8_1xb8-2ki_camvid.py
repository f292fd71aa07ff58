_base_ = [
    '_base_/resnet50.py',
    '_base_/encoder_decoder.py',
    '_base_/camvid.py',
    '_base_/schedule_2ki.py',
]

model = dict(
    data_preprocessor=dict(**_base_.pixels, **_base_.padding, test_cfg=dict(size_divisor=32)),
    # Dilated, as in mmseg: output stride 8.
    backbone=dict(**_base_.backbone, dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1)),
    decode_head=dict(
        type='FCNHead',
        in_channels=2048,
        in_index=3,
        channels=512,
        num_convs=2,
        num_classes=len(_base_.classes),
        ignore_index=_base_.ignore_index,
        norm_cfg=dict(type='SyncBN'),
    ),
)
