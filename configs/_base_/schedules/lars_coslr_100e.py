# LARS at 0.075 * sqrt(4096), 10 epochs of linear warm-up, then cosine to 0, by iteration.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='LARS',
        lr=4.8,
        momentum=0.9,
        weight_decay=1e-6,
        eta=0.001,
        exclude_bias_and_norm=True,
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=10, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=10)
auto_scale_lr = dict(base_batch_size=4096, rule='sqrt')
