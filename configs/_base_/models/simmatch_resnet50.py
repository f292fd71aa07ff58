# SimMatch on ImageNet: the released settings. num_classes and memory.size follow from the labeled
# images: 1000 classes, 13 or 128 images of each.
model = dict(
    type='SimMatch',
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='BN'), zero_init_residual=False),
    head=dict(type='PseudoLabelHead', threshold=0.7, loss_weight=10.0),
    neck=dict(type='MLPNeck', hidden_channels=2048, out_channels=128),
    instance_head=dict(
        type='SimilarityMatchingHead',
        student_temperature=0.1,
        teacher_temperature=0.1,
        alpha=0.9,
        loss_weight=5.0,
        warmup=dict(epochs=1),
    ),
    memory=dict(type='LabeledBank', momentum=0.0),
    alignment=dict(type='DistributionAlignment', size=256),
    teacher=dict(momentum=0.999),
)
