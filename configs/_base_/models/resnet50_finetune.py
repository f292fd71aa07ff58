# A classifier on a pre-trained ResNet-50, trained as a whole. Give the pre-trained checkpoint by
# --cfg-options model.backbone.init_cfg.checkpoint=...
_base_ = ['resnet50_linear.py']

model = dict(backbone=dict(frozen_stages=-1, norm_eval=False))
