_base_ = [
    '../_base_/models/wcl_resnet18_small.py',
    '../_base_/datasets/cifar10_simclr_views.py',
    '../_base_/schedules/lars_coslr_100e.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=1.2))  # 0.075 * sqrt(256)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=10, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=200)
auto_scale_lr = dict(base_batch_size=256)

custom_hooks = [
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=11, train_pipeline={{_base_.simclr_pipeline}})],
    )
]
