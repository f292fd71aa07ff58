# The super-transformer, by default of the 1 G space.
model = dict(
    type='ViTAS',
    space=dict(type='ViTASSpace', num_classes=1000, flops_budget=(900_000_000, 1_100_000_000)),
    backbone=dict(type='ViTASSupernet', sharing='bcnet'),
    head=dict(
        type='SlicedLinearClsHead',
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    ),
    train_cfg=dict(
        augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)],
    ),
)
