# The extended version for 2 CPU cores and any folder of 32-px images: the best of the settings
# that we tried (docs/ressl_extended.md).
_base_ = ['ressl_resnet18-w16_1xb64-coslr-20e_imagefolder32.py']

model = dict(
    head=dict(teacher_temperature=0.02),
    predictor=dict(type='MLPNeck', hidden_channels=512, norm_cfg=dict(type='BN1d')),
    warmup=dict(type='InfoNCEWarmup', epochs=14, temperature=0.1),
)
randomness = dict(seed=0)
