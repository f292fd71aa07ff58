# A classifier on a pre-trained ResNet-50, trained as a whole. Give the pre-trained checkpoint by
# --cfg-options model.backbone.init_cfg.checkpoint=...
_base_ = ['resnet50_linear.py']

model = dict(
    type='ImageClassifier',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(in_channels=2048),
)
