# The schedule of NAS-Bench-201's weight-sharing baselines, shortened: lr 0.025 to 0.001 at a batch
# size of 64, gradients clipped at norm 5. The same cosine for the simplex-net.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='KShotOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=0.025, momentum=0.9, weight_decay=5e-4, nesterov=True),
    clip_grad=dict(max_norm=5),
    simplex_net=dict(optimizer=dict(type='SGD', lr=0.025, momentum=0.9, nesterov=True)),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', begin=0, eta_min=0.001, convert_to_iter_based=True)
]
train_cfg = dict(by_epoch=True, max_epochs=14, val_interval=14)
auto_scale_lr = dict(base_batch_size=64)
