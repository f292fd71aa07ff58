# ResNet-50, initialized from the authors' ReSSL checkpoint; strides 4 to 32.
backbone = dict(
    type='mmrel.ResNet',
    depth=50,
    norm_cfg=dict(type='SyncBN'),
    out_indices=(0, 1, 2, 3),
    init_cfg=dict(
        type='mmrel.Pretrained',
        checkpoint='mmrel://ressl_resnet50_8xb32-coslr-200e_in1k',
        prefix='backbone.',
    ),
)
# RGB values of the pre-training on ImageNet.
pixels = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
