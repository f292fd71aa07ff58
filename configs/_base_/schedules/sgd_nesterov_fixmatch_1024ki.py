# FixMatch's 2^20 iterations with a 7/16 cosine; weight decay on all parameters.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=5e-4, nesterov=True),
)
param_scheduler = [
    dict(
        type='FractionalCosineLR',
        cycles=7 / 16,
        by_epoch=False,
        begin=0,
    )
]
train_cfg = dict(by_epoch=False, max_iters=1048576, val_interval=5120)
# Labeled and unlabeled images together.
auto_scale_lr = dict(base_batch_size=512)
