# A classifier on a pre-trained small-image ResNet-18, trained as a whole. Give the pre-trained
# checkpoint by --cfg-options model.backbone.init_cfg.checkpoint=...
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNetSmallImage',
        depth=18,
        max_pool=False,
        init_cfg=dict(type='Pretrained', checkpoint='', prefix='backbone.'),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        in_channels=512,
        num_classes=10,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=dict(type='Normal', layer='Linear', std=0.01),
    ),
)
