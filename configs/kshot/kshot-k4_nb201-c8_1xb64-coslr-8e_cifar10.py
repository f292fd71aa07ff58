# CIFAR-10 as an image folder, in minutes on 2 CPU cores: padded crops, and a simplex-net step
# after every fourth weight step. Held-out images:
# tools/dataset_converters/make_label_split.py CONFIG --per-class 200
_base_ = [
    '../_base_/models/kshot_nb201_small.py',
    '../_base_/datasets/linear_32px.py',
    '../_base_/datasets/val_32px.py',
    '../_base_/schedules/kshot_coslr_60e.py',
    '../_base_/default_runtime.py',
]

# shortcut_norm and run_paths: as in the supernet that the shipped cell was found with
model = dict(
    simplex=dict(run_paths=16, interval=4),
    warmup=dict(epochs=1),
    space=dict(shortcut_norm=True),
)
train_cfg = dict(max_epochs=8, val_interval=4)

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    drop_last=True,
    dataset=dict(
        data_root='data/cifar10_folder/train',
        without_split='data/label_splits/cifar10_folder_heldout.txt',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='PaddedCropView', size=32),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test'))

# The model averages each step's gradients over the ranks. Its val path gets BN statistics.
model_wrapper_cfg = dict(type='mmrel.ReplicaParallel')
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PathCalibrationHook')]
