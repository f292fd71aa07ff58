# K-shot supernet of a small MobileNetV2-SE with channel search, for 32-px images.
model = dict(
    type='KShotNAS',
    k=8,
    space=dict(
        type='MobileNetV2SESpace',
        num_classes=10,
        input_size=32,
        stem_channels=16,
        first_channels=8,
        channels=(16, 24, 40, 48, 64, 96),
        layers=(2, 2, 2, 2, 2, 1),
        strides=(2, 1, 1, 2, 1, 2, 1),
        last_channels=256,
        widths=(0.2, 0.4, 0.6, 0.8, 1.0),
        divisor=4,
    ),
    backbone=dict(type='KShotSupernet'),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0)),
    simplex=dict(
        net=dict(hidden_channels=100),
        parts=16,
        run_paths=4,
        regularizer=dict(type='WidthSimilarityLoss', loss_weight=1.0),
    ),
    warmup=dict(epochs=5),
    calibration_batches=4,
)
