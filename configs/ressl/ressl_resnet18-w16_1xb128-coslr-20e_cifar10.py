# CIFAR-10 as an image folder, in 45 minutes on 2 CPU cores.
_base_ = ['ressl_resnet18-w16_1xb64-coslr-20e_imagefolder32.py']

# As in the -zeroinit config.
model = dict(
    backbone=dict(zero_init_residual=True, init_cfg=None),
    memory=dict(size=4096),
)
randomness = dict(seed=0)
optim_wrapper = dict(optimizer=dict(lr=0.08))
auto_scale_lr = dict(base_batch_size=128)

train_dataloader = dict(batch_size=128, dataset=dict(data_root='data/cifar10_folder/train'))
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
train_cfg = dict(val_interval=10)
