# ReSSL for 2 CPU cores: a quarter of the width, and plain BN.
model = dict(
    type='ReSSL',
    backbone=dict(
        type='ResNetSmallImage',
        depth=18,
        stem_channels=16,
        base_channels=16,
        max_pool=False,
        norm_cfg=dict(type='BN'),
        # torchvision's initialization, as in the authors' code. How soon the embeddings spread
        # apart then depends on the seed (configs/ressl/README.md); the -zeroinit config avoids
        # this.
        zero_init_residual=False,
        init_cfg=[
            dict(type='Kaiming', layer=['Conv2d']),
            dict(type='Constant', val=1, layer=['_BatchNorm']),
        ],
    ),
    neck=dict(type='MLPNeck', hidden_channels=512, out_channels=128),
    head=dict(type='RelationHead', student_temperature=0.1, teacher_temperature=0.04),
    memory=dict(type='FeatureQueue', size=1024),
    teacher=dict(momentum=0.99),
    batch_shuffle=True,
)
