# A searched network. Configs add backbone.embed_dims, blocks and patch_size, and head.in_channels.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='SearchedViT', drop_path_rate=0.1),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    ),
    train_cfg=dict(
        augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)],
    ),
)
