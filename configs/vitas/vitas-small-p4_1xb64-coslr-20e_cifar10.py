# The best network of vitas_search_small-p4_cifar10.py, on CIFAR-10 as an image folder.
_base_ = ['vitas_retrain_small_imagefolder32.py']

model = dict(
    backbone=dict(
        blocks=[
            dict(num_heads=4, qkv_dims=192, mlp_dims=192),
            None,
            dict(num_heads=2, qkv_dims=192, mlp_dims=192),
            dict(num_heads=4, qkv_dims=192, mlp_dims=96),
        ],
    ),
)
train_cfg = dict(max_epochs=20)
train_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/train'))
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
