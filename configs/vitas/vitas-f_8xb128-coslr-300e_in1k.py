# ViTAS-F: 4.9G FLOPs, 22.54M parameters.
_base_ = [
    '../_base_/models/searched_vit.py',
    '../_base_/datasets/vitas_in1k.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        embed_dims=307,
        patch_size=16,
        blocks=[
            dict(num_heads=16, qkv_dims=864, mlp_dims=1728),
            dict(num_heads=16, qkv_dims=288, mlp_dims=2304),
            dict(num_heads=16, qkv_dims=1728, mlp_dims=864),
            dict(num_heads=16, qkv_dims=1152, mlp_dims=2016),
            dict(num_heads=16, qkv_dims=2016, mlp_dims=864),
            dict(num_heads=16, qkv_dims=1440, mlp_dims=1440),
            dict(num_heads=16, qkv_dims=2592, mlp_dims=2304),
            dict(num_heads=16, qkv_dims=1440, mlp_dims=2016),
            dict(num_heads=16, qkv_dims=2304, mlp_dims=864),
            dict(num_heads=16, qkv_dims=2016, mlp_dims=576),
            dict(num_heads=16, qkv_dims=2016, mlp_dims=2016),
            dict(num_heads=16, qkv_dims=1440, mlp_dims=2304),
            dict(num_heads=16, qkv_dims=1728, mlp_dims=2304),
        ],
    ),
    head=dict(in_channels=307),
)
