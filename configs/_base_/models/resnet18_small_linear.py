# A linear classifier on a frozen small-image ResNet-18. Give the pre-trained checkpoint by
# --cfg-options model.backbone.init_cfg.checkpoint=...
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNetSmallImage',
        depth=18,
        max_pool=False,
        frozen_stages=4,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='', prefix='backbone.'),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=512,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=dict(type='Normal', layer='Linear', std=0.01),
    ),
)
