_base_ = ['kshot_coslr_120e.py']

optim_wrapper = dict(optimizer=dict(lr=0.05, weight_decay=5e-4))
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=60)
auto_scale_lr = dict(base_batch_size=64)
