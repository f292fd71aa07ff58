"""Retrained networks of searches, small enough for quick tests."""

NAMES = ('ant', 'bee', 'cat')
VIT = 'vitas_retrain_small_digits'
CELLS = 'kshot_cellnet-c8_1xb64-coslr-30e_digits'
SMALL_VIT = {
    'model.backbone.embed_dims': 16,
    'model.backbone.blocks': [dict(num_heads=2, qkv_dims=24, mlp_dims=16)] * 2,
    'model.head.in_channels': 16,
}
SMALL_CELLS = {
    'model.backbone.channels': 4, 'model.backbone.cells': 1, 'model.head.in_channels': 16,
}  # fmt: skip
