# ResNet-50, initialized from the authors' ReSSL checkpoint; strides 4 to 32.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        # RGB values of the pre-training on ImageNet.
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        test_cfg=dict(size_divisor=32),
    ),
    backbone=dict(
        type='mmrel.ResNet',
        depth=50,
        norm_cfg=dict(type='SyncBN'),
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(
            type='mmrel.Pretrained',
            checkpoint='mmrel://ressl_resnet50_8xb32-coslr-200e_in1k',
            prefix='backbone.',
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
