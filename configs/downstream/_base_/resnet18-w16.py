# The backbone of our small checkpoints: made for 32-px images, with strides 1, 2, 4 and 8.
backbone = dict(
    type='mmrel.ResNetSmallImage',
    depth=18,
    base_channels=16,
    stem_channels=16,
    max_pool=False,
    norm_cfg=dict(type='BN'),
    out_indices=(0, 1, 2, 3),
    init_cfg=dict(
        type='mmrel.Pretrained',
        checkpoint='mmrel://ressl-ext_resnet18-w16_1xb128-coslr-60e_cifar10',
        prefix='backbone.',
    ),
)
# RGB values of the pre-training on CIFAR-10.
pixels = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])
