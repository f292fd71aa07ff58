# A linear classifier on a frozen small-image ResNet-18. Give the pre-trained checkpoint by
# --cfg-options model.backbone.init_cfg.checkpoint=...
model = dict(
    type='LinearClassifier',
    backbone=dict(
        type='ResNetSmallImage',
        depth=18,
        max_pool=False,
        init_cfg=dict(type='Pretrained', checkpoint='', prefix='backbone.'),
    ),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=dict(type='Normal', layer='Linear', std=0.01),
    ),
)
