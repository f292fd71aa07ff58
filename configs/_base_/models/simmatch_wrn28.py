# SimMatch on CIFAR: the settings for small images. num_classes and memory.size follow from the
# labeled images.
model = dict(
    type='SimMatch',
    backbone=dict(type='WideResNet', depth=28, widen_factor=2),
    head=dict(type='PseudoLabelHead', threshold=0.95, loss_weight=1.0),
    neck=dict(type='MLPNeck', hidden_channels=128, out_channels=128),
    instance_head=dict(
        type='SimilarityMatchingHead',
        student_temperature=0.1,
        teacher_temperature=0.1,
        alpha=0.9,
        loss_weight=1.0,
        warmup=dict(iters=1024),  # FixMatch counts 1024 iterations as an epoch
    ),
    memory=dict(type='LabeledBank', momentum=0.7),
    alignment=dict(type='DistributionAlignment', size=32),
    teacher=dict(momentum=0.999),
)
