_base_ = ['simmatch_resnet18-w16_imagefolder32_4pc.py']

train_dataloader = dict(
    dataset=dict(labeled=dict(label_split='data/label_splits/imagefolder32_25pc.txt'))
)
