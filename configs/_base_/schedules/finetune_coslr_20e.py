# Low-shot fine-tuning: higher learning rate for the classifier; cosine to 0.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0, nesterov=True),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=20.0)}),
)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=5)
auto_scale_lr = dict(base_batch_size=256)
