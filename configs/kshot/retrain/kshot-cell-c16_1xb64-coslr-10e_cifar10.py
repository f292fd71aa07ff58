# A stand-alone cell network with twice the supernet's channels, on CIFAR-10 as an image folder.
_base_ = ['cellnet-c8_1xb64-coslr-30e_imagefolder32.py']

model = dict(backbone=dict(channels=16), head=dict(in_channels=64))
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
