# The extended version: BYOL's predictor, and InfoNCE in the first epochs. The length and the
# temperature of the warm-up are our choice.
_base_ = ['ressl_resnet50_8xb32-coslr-200e_in1k.py']

model = dict(
    predictor=dict(type='MLPNeck', hidden_channels=4096, norm_cfg=dict(type='BN1d')),
    warmup=dict(type='InfoNCEWarmup', epochs=10, temperature=0.1, transition='switch'),
)
