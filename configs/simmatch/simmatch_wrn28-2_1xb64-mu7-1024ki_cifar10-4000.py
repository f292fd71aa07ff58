_base_ = ['simmatch_wrn28-2_1xb64-mu7-1024ki_cifar10-250.py']

train_dataloader = dict(
    dataset=dict(labeled=dict(label_split='data/label_splits/cifar10_400pc.txt'))
)
