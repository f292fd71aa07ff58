# A classifier on a pre-trained small-image ResNet-18, trained as a whole. Give the pre-trained
# checkpoint by --cfg-options model.backbone.init_cfg.checkpoint=...
_base_ = ['resnet18_small_linear.py']

model = dict(
    type='ImageClassifier',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(in_channels=512),
)
