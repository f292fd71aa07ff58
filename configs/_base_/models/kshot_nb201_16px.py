# K-shot supernet of NAS-Bench-201 cells at 16 px, one per stage, starting with 8 channels. Its
# norms have no scale and shift, as in NAS-Bench-201's own supernets.
model = dict(
    type='KShotNAS',
    k=4,
    space=dict(type='NASBench201Space', num_classes=10, channels=8, cells=1, input_size=16),
    backbone=dict(type='KShotSupernet', norm_cfg=dict(type='BN', affine=False)),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0)),
    simplex=dict(net=dict(hidden_channels=100), parts=16, run_paths=4, interval=4),
    warmup=dict(epochs=2),
    sampling='fair',  # 'uniform' ranks worse
    calibration_batches=4,
)
