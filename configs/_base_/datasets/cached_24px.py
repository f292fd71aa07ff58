# CIFAR-10 as an image folder, reduced to 24 px and kept in memory; padded crops and flips. The
# supernet is validated and its paths are scored on held-out images of the training set:
# tools/dataset_converters/make_label_split.py CONFIG --per-class 200
data_preprocessor = dict(
    type='ClsDataPreprocessor', mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255]
)

pipeline = [
    dict(type='LoadImage'),
    dict(type='CentralView', size=24),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CachedImageFolder',
        data_root='data/cifar10_folder/train',
        without_split='data/label_splits/cifar10_folder_heldout.txt',
        padding=3,
        flip_prob=0.5,
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CachedImageFolder',
        data_root='data/cifar10_folder/train',
        label_split='data/label_splits/cifar10_folder_heldout.txt',
        pipeline=pipeline,
        test_mode=True,
    ),
)
val_cfg = dict()
val_evaluator = dict(type='Accuracy', topk=(1, 5))
