# CIFAR-10 as an image folder, in minutes on 2 CPU cores: padded crops, and a simplex-net step
# after every fourth weight step. Held-out images:
# tools/dataset_converters/make_label_split.py CONFIG --per-class 200
_base_ = ['kshot-k4_nb201-c8_1xb64-coslr-60e_imagefolder32.py']

model = dict(simplex_interval=4, warmup=dict(epochs=1))
train_cfg = dict(max_epochs=8, val_interval=4)

train_dataloader = dict(
    dataset=dict(
        data_root='data/cifar10_folder/train',
        without_split='data/label_splits/cifar10_folder_heldout.txt',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='PaddedCropView', size=32),
            dict(type='PackInputs'),
        ],
    )
)
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))
