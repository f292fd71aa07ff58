_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/default_runtime.py',
    '_base_/resnet50.py',
    '_base_/bccd.py',
    '_base_/schedule_24e.py',
]

model = dict(
    backbone=dict(_delete_=True, **_base_.backbone),
    bbox_head=dict(num_classes=len(_base_.classes)),
)
