# The extended version, small enough for 2 CPU cores, on any folder of 32-px images.
_base_ = ['ressl_resnet18-w16_1xb64-coslr-20e_imagefolder32.py']

model = dict(
    predictor=dict(type='MLPNeck', hidden_channels=512, norm_cfg=dict(type='BN1d')),
    warmup=dict(type='InfoNCEWarmup', epochs=14, temperature=0.1),
)
randomness = dict(seed=0)
