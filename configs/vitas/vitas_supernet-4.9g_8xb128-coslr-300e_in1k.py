# The larger space: 13 blocks without identity.
_base_ = ['vitas_supernet-1g_8xb128-coslr-300e_in1k.py']

model = dict(
    space=dict(
        _delete_=True,
        type='ViTASSpace',
        num_classes=1000,
        embed_dims=768,
        qkv_dims=2880,
        mlp_dims=2880,
        depth=13,
        allow_identity=False,
    ),
)
