# In addition to the two views: four small crops, each from one of the image's four nearest
# neighbors. K and the number and size of the crops are our choice: the paper's are not known to us.
_base_ = ['wcl_resnet50_32xb128-coslr-100e_in1k.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='KNNMultiCropDataset',
        dataset=dict(
            type='ImageNet',
            data_root={{_base_.data_root}},
            split='train',
            pipeline={{_base_.train_pipeline}},
        ),
        num_neighbors=4,
        num_crops=4,
        crop_pipeline=[
            dict(type='LoadImage'),
            dict(type='ContrastiveView', size=96, scale=(0.05, 0.14)),
            dict(type='PackInputs'),
        ],
    )
)
train_cfg = dict(max_epochs=800)
custom_hooks = [
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=11, train_pipeline={{_base_.simclr_pipeline}})],
    ),
    dict(type='KNNMultiCropHook', interval=1),
]
