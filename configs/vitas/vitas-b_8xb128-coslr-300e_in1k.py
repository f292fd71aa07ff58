# ViTAS-B: 1.0G FLOPs, 4.40M parameters.
_base_ = [
    '../_base_/models/searched_vit.py',
    '../_base_/datasets/vitas_in1k.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        embed_dims=192,
        patch_size=16,
        blocks=[
            dict(num_heads=16, qkv_dims=288, mlp_dims=864),
            None,
            None,
            dict(num_heads=16, qkv_dims=432, mlp_dims=576),
            None,
            dict(num_heads=16, qkv_dims=432, mlp_dims=1008),
            None,
            None,
            dict(num_heads=12, qkv_dims=1152, mlp_dims=864),
            dict(num_heads=12, qkv_dims=1008, mlp_dims=720),
            None,
            dict(num_heads=12, qkv_dims=864, mlp_dims=576),
            dict(num_heads=16, qkv_dims=432, mlp_dims=1296),
            None,
            None,
            dict(num_heads=6, qkv_dims=864, mlp_dims=864),
        ],
    ),
    head=dict(in_channels=192),
)
