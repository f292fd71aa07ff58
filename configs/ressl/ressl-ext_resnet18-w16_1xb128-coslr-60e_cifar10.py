# The extended version on CIFAR-10 as an image folder, in two hours on 2 CPU cores: three times the
# length of the imagefolder32 config, with the same fraction of warm-up and a larger memory.
_base_ = ['ressl-ext_resnet18-w16_1xb64-coslr-20e_imagefolder32.py']

model = dict(memory=dict(size=4096), warmup=dict(epochs=42))
optim_wrapper = dict(optimizer=dict(lr=0.08))
train_cfg = dict(max_epochs=60, val_interval=30)
auto_scale_lr = dict(base_batch_size=128)

train_dataloader = dict(batch_size=128, dataset=dict(data_root='data/cifar10_folder/train'))
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
