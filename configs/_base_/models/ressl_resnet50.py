# ReSSL on ImageNet: the published settings.
model = dict(
    type='ReSSL',
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='BN'), zero_init_residual=False),
    neck=dict(type='MLPNeck', hidden_channels=4096, out_channels=512),
    head=dict(type='RelationHead', student_temperature=0.1, teacher_temperature=0.04),
    memory=dict(type='FeatureQueue', size=131072),
    teacher=dict(momentum=0.999),
    batch_shuffle=True,
)
