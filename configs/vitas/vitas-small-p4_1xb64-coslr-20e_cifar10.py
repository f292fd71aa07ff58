# One network of the small space on CIFAR-10 as an image folder.
_base_ = ['vitas_retrain_small_imagefolder32.py']

train_cfg = dict(max_epochs=20)
train_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/train'))
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
