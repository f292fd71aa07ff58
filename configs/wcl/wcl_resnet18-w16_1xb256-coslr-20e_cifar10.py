# CIFAR-10 as an image folder, in an hour on 2 CPU cores.
_base_ = ['wcl_resnet18-w16_1xb256-coslr-20e_imagefolder32.py']

train_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/train'))
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
train_cfg = dict(val_interval=10)
