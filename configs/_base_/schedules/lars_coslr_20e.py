# LARS at 0.075 * sqrt(256), 2 epochs of linear warm-up, then cosine to 0, by iteration.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='LARS',
        lr=1.2,
        momentum=0.9,
        weight_decay=1e-6,
        eta=0.001,
        exclude_bias_and_norm=True,
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=2, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=5)
auto_scale_lr = dict(base_batch_size=256, rule='sqrt')
