# One network of the small space of vitas_supernet_small.py; a search replaces the blocks. Mixup and
# CutMix, the train_cfg of searched_vit.py, need longer training.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='SearchedViT',
        img_size=32,
        patch_size=4,
        embed_dims=64,
        blocks=[dict(num_heads=4, qkv_dims=192, mlp_dims=192)] * 4,
        drop_path_rate=0.0,
    ),
    head=dict(
        type='LinearClsHead',
        in_channels=64,
        num_classes=10,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    ),
    train_cfg=None,
)
