# 32-px images: one weak view for training.
# Your folder, one subfolder per class; configs for other datasets change the type.

# CIFAR-10 statistics; they work for natural images.
data_preprocessor = dict(
    type='ClsDataPreprocessor', mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255]
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='WeakView', size=32),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=256,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ImageFolder', data_root='data/train', pipeline=train_pipeline),
)
val_cfg = dict()
