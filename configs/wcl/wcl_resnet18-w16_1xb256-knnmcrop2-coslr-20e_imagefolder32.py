# In addition to the two views: two small crops, each from one of the four nearest neighbors.
_base_ = ['wcl_resnet18-w16_1xb256-coslr-20e_imagefolder32.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='KNNMultiCropDataset',
        dataset=dict(
            type='ImageFolder', data_root='data/train', pipeline={{_base_.train_pipeline}}
        ),
        num_neighbors=4,
        num_crops=2,
        crop_pipeline=[
            dict(type='LoadImage'),
            dict(type='ContrastiveView', size=20, scale=(0.1, 0.4), blur_prob=0.0),
            dict(type='PackInputs'),
        ],
    )
)
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='InitialValHook'),
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=3, train_pipeline={{_base_.simclr_pipeline}})],
    ),
    dict(type='KNNMultiCropHook', interval=1),
]
