# Starts from a ReSSL checkpoint:
# --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/.../epoch_20.pth
_base_ = ['simmatch_resnet18-w16_imagefolder32_4pc.py']

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='', prefix='backbone.')),
)
