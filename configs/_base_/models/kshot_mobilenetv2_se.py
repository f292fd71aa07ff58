# K-shot supernet of MobileNetV2-SE for ImageNet.
model = dict(
    type='KShotNAS',
    k=8,
    space=dict(type='MobileNetV2SESpace', num_classes=1000, input_size=224),
    backbone=dict(type='KShotSupernet'),
    head=dict(
        type='ClsHead',
        loss=dict(type='SmoothCrossEntropy', label_smoothing=0.1),
    ),
    simplex=dict(net=dict(hidden_channels=100), parts=16),
    warmup=dict(epochs=5),
    calibration_batches=20,
)
