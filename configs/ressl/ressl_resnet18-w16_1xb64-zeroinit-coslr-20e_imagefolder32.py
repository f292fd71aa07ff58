# Zero-initialized residual branches: learns from the first epoch, and better on 5,000 images.
_base_ = ['ressl_resnet18-w16_1xb64-coslr-20e_imagefolder32.py']

model = dict(backbone=dict(zero_init_residual=True, init_cfg=None))
randomness = dict(seed=0)
