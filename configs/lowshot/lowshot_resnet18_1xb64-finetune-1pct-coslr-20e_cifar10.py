_base_ = ['lowshot_resnet18_1xb64-finetune-10pct-coslr-20e_cifar10.py']

train_dataloader = dict(dataset=dict(label_split='data/label_splits/cifar10_1pct.txt'))
