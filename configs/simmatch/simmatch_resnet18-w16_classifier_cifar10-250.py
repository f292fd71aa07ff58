# The student of the SimMatch config for 250 labels of CIFAR-10 as a plain classifier, for
# evaluation, prediction and fine-tuning.
_base_ = ['supervised_resnet18-w16_imagefolder32_25pc.py']

train_dataloader = dict(
    dataset=dict(
        data_root='data/cifar10_folder/train',
        label_split='data/label_splits/cifar10_folder_25pc.txt',
    )
)
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
