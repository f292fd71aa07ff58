# ViTAS-C: 1.3G FLOPs, 6.05M parameters.
_base_ = [
    '../_base_/models/searched_vit.py',
    '../_base_/datasets/vitas_in1k.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        embed_dims=230,
        patch_size=16,
        blocks=[dict(num_heads=3, qkv_dims=432, mlp_dims=720)] * 12,
    ),
    head=dict(in_channels=230),
)
