# A super-transformer for 24-px images. Its networks are small enough to train dozens of them alone
# on a CPU.
model = dict(
    type='ViTAS',
    space=dict(
        type='ViTASSpace',
        image_size=24,
        patch_sizes=(4, 8),
        heads=(2, 4),
        percents=dict(embed=(0.5, 0.75, 1.0), attn=(0.5, 1.0), mlp=(0.5, 1.0)),
        embed_dims=48,
        qkv_dims=144,
        mlp_dims=144,
        depth=4,
        num_classes=10,
        identity_probability=0.25,
    ),
    backbone=dict(type='ViTASSupernet', sharing='bcnet'),
    head=dict(
        type='SlicedLinearClsHead',
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    ),
    train_cfg=None,
)
