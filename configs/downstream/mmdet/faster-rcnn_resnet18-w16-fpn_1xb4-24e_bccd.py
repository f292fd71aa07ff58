_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    'mmdet::_base_/default_runtime.py',
    '../_base_/resnet18-w16.py',
    '_base_/bccd.py',
    '_base_/schedule_24e.py',
]

model = dict(
    data_preprocessor=dict(**_base_.pixels, pad_size_divisor=32),
    backbone=dict(_delete_=True, **_base_.backbone),
    # The stages with strides 4 and 8, where a blood cell covers a few pixels.
    neck=dict(
        in_channels=[16, 32, 64, 128],
        norm_cfg=dict(type='BN'),  # see the RetinaNet
        start_level=2,
        out_channels=64,
        num_outs=4,
    ),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(scales=[8], strides=[4, 8, 16, 32]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64, featmap_strides=[4, 8, 16, 32]),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=len(_base_.classes)),
    ),
)
