_base_ = ['simmatch_wrn28-8_1xb64-mu7-1024ki_cifar100-400.py']

train_dataloader = dict(
    dataset=dict(labeled=dict(label_split='data/label_splits/cifar100_25pc.txt'))
)
