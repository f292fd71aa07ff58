# LARS at 0.075 * sqrt(256), 2 epochs of linear warm-up, then cosine to 0, by iteration.
_base_ = ['lars_coslr_100e.py']

optim_wrapper = dict(optimizer=dict(lr=1.2))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=2, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=20, val_interval=5)
auto_scale_lr = dict(base_batch_size=256)
