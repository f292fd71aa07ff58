# K-NN multi-crop with a change of views, small enough that a command is tested in seconds.
_base_ = ['../../configs/wcl/wcl_resnet18-w16_1xb256-knnmcrop2-coslr-20e_imagefolder32.py']

model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    neck=dict(hidden_channels=16, out_channels=8),
)
train_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(num_neighbors=3))
val_dataloader = dict(batch_size=8, num_workers=0)
val_cfg = dict(k=(3,))
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=5, val_interval=5)
default_hooks = dict(logger=dict(interval=2), checkpoint=dict(interval=1, max_keep_ckpts=5))
custom_hooks = [
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=3, train_pipeline={{_base_.simclr_pipeline}})],
    ),
    dict(type='KNNMultiCropHook', interval=2),
]
