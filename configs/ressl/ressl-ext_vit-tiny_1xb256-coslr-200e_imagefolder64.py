# Vision transformers are trained with AdamW, as in MoCo v3 and DINO.
_base_ = ['ressl-ext_resnet18_1xb256-coslr-200e_imagefolder64.py']

model = dict(
    backbone=dict(
        _delete_=True, type='VisionTransformer', arch='deit-tiny', img_size=64, patch_size=8
    )
)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=5e-4, weight_decay=0.05))
