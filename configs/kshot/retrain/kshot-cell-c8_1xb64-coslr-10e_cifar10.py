# The cell that kshot_search-k4_nb201-c8_cifar10 found, trained alone on CIFAR-10 as an image
# folder.
_base_ = ['kshot_cellnet-c8_1xb64-coslr-30e_imagefolder32.py']

model = dict(
    backbone=dict(
        shortcut_norm=True,  # the network of the shipped weights
        cell=dict(
            edge_0_1='conv3x3',
            edge_0_2='skip',
            edge_1_2='none',
            edge_0_3='conv3x3',
            edge_1_3='conv1x1',
            edge_2_3='avgpool3x3',
        ),
    )
)
train_cfg = dict(max_epochs=10)

train_dataloader = dict(
    dataset=dict(
        data_root='data/cifar10_folder/train',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='PaddedCropView', size=32),
            dict(type='PackInputs'),
        ],
    )
)
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
