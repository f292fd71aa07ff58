# K-shot supernet of NAS-Bench-201 cells, one per stage, starting with 8 channels.
model = dict(
    type='KShotNAS',
    k=4,
    space=dict(type='NASBench201Space', num_classes=10, channels=8, cells=1, input_size=32),
    backbone=dict(type='KShotSupernet'),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0)),
    simplex=dict(net=dict(hidden_channels=100), parts=16, run_paths=4),
    warmup=dict(epochs=5),
    calibration_batches=4,
)
