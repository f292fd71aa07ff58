# 195 epochs of 16 batches of 250 labels: the 3,120 steps that SimMatch takes on 5,000 images.
_base_ = ['simmatch_supervised_resnet18-w16_imagefolder32_4pc.py']

train_dataloader = dict(dataset=dict(label_split='data/label_splits/imagefolder32_25pc.txt'))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=5, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=195, val_interval=39)
default_hooks = dict(checkpoint=dict(interval=39))
