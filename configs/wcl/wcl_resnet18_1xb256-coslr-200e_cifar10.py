_base_ = [
    '../_base_/models/wcl_resnet18_small.py',
    '../_base_/datasets/simclr_views_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/lars_coslr_100e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='train'))
val_dataloader = dict(dataset=dict(type='CIFAR10', data_root='data/cifar10', split='test'))

optim_wrapper = dict(optimizer=dict(lr=1.2))  # 0.075 * sqrt(256)
train_cfg = dict(max_epochs=200)
auto_scale_lr = dict(base_batch_size=256)

custom_hooks = [
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=11, train_pipeline={{_base_.simclr_pipeline}})],
    ),
    dict(type='ChannelsLastHook'),
]
