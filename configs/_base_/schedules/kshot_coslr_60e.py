# The same cosine for both optimizers; lr is meant for a batch size of 64.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='KShotOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4),
    simplex_net=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=10)
auto_scale_lr = dict(base_batch_size=64)
