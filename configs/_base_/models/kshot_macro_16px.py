# K-shot supernet of NAS-Bench-Macro's space at 16 px, with a quarter of its channels. Its norms
# have no scale and shift.
model = dict(
    type='KShotNAS',
    k=4,
    space=dict(
        type='NASBenchMacroSpace',
        num_classes=10,
        input_size=16,
        stem_channels=8,
        channels=(16, 32, 64),
        layers=(2, 3, 3),
        last_channels=320,
    ),
    backbone=dict(type='KShotSupernet', norm_cfg=dict(type='BN', affine=False)),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0)),
    simplex=dict(net=dict(hidden_channels=100), parts=16, interval=4),
    warmup=dict(epochs=2),
    sampling='uniform',  # or 'fair'
    calibration_batches=4,
)
