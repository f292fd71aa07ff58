# ResNet-50, initialized from the authors' ReSSL checkpoint.
backbone = dict(
    type='mmrel.ResNet',
    depth=50,
    norm_cfg=dict(type='BN'),
    norm_eval=True,
    frozen_stages=1,
    out_indices=(0, 1, 2, 3),
    init_cfg=dict(
        type='mmrel.Pretrained',
        checkpoint='mmrel://ressl_resnet50_8xb32-coslr-200e_in1k',
        prefix='backbone.',
    ),
)
