# ViTAS-E: 2.7G FLOPs, 12.55M parameters.
_base_ = [
    '../_base_/models/searched_vit.py',
    '../_base_/datasets/vitas_in1k.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        embed_dims=346,
        patch_size=16,
        blocks=[
            dict(num_heads=16, qkv_dims=720, mlp_dims=720),
            None,
            dict(num_heads=16, qkv_dims=1008, mlp_dims=864),
            None,
            dict(num_heads=16, qkv_dims=864, mlp_dims=1008),
            dict(num_heads=6, qkv_dims=864, mlp_dims=1008),
            None,
            dict(num_heads=3, qkv_dims=576, mlp_dims=720),
            None,
            dict(num_heads=12, qkv_dims=1296, mlp_dims=1296),
            dict(num_heads=6, qkv_dims=1296, mlp_dims=1152),
            dict(num_heads=12, qkv_dims=720, mlp_dims=144),
            None,
            dict(num_heads=12, qkv_dims=1440, mlp_dims=864),
            dict(num_heads=6, qkv_dims=576, mlp_dims=1008),
            dict(num_heads=12, qkv_dims=1152, mlp_dims=1296),
        ],
    ),
    head=dict(in_channels=346),
)
