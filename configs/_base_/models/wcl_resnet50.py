# WCL on ImageNet: the released settings (the paper's projectors: 2048 and 128).
model = dict(
    type='WCL',
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='SyncBN'), zero_init_residual=False),
    neck=dict(
        type='MLPNeck',
        num_layers=3,
        hidden_channels=4096,
        out_channels=256,
        norm_cfg=dict(type='SyncBN'),
    ),
    head=dict(type='InstanceContrastHead', temperature=0.1),
    graph_head=dict(type='WeakLabelContrastHead', temperature=0.1),
)
