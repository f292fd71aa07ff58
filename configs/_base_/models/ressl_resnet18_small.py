# ReSSL for small images on one device: split BN replaces the batch shuffle.
model = dict(
    type='ReSSL',
    backbone=dict(
        type='ResNetSmallImage',
        depth=18,
        max_pool=False,
        norm_cfg=dict(type='SplitBN', splits=8),
        # Zero-initialized residual branches, torch's default initialization of
        # convolutions: the embeddings start twice as far apart, and a sharp target does
        # not collapse early.
        zero_init_residual=True,
        init_cfg=None,
    ),
    neck=dict(type='MLPNeck', hidden_channels=512, out_channels=128),
    head=dict(type='RelationHead', student_temperature=0.1, teacher_temperature=0.05),
    memory=dict(type='FeatureQueue', size=4096),
    teacher=dict(momentum=0.99),
    batch_shuffle=True,
)
