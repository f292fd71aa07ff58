# WCL for small images.
model = dict(
    type='WCL',
    backbone=dict(
        type='ResNetSmallImage',
        depth=18,
        max_pool=False,
        norm_cfg=dict(type='SyncBN'),
        # Zero-initialized residual branches, torch's default initialization of
        # convolutions: the embeddings start further apart.
        zero_init_residual=True,
        init_cfg=None,
    ),
    neck=dict(
        type='MLPNeck',
        num_layers=3,
        hidden_channels=512,
        out_channels=128,
        norm_cfg=dict(type='SyncBN'),
    ),
    head=dict(type='InstanceContrastHead', temperature=0.1),
    graph_head=dict(type='WeakLabelContrastHead', temperature=0.1),
)
