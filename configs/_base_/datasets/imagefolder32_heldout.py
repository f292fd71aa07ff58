# The search's held-out images: a list that make_label_split.py wrote.
test_dataloader = dict(
    batch_size=250,
    num_workers=2,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageFolder',
        data_root='data/train',
        label_split='data/label_splits/imagefolder32_heldout.txt',
        # As the supernets' val_dataloader.
        pipeline=[
            dict(type='LoadImage'),
            dict(type='CentralView', size=32),
            dict(type='PackInputs'),
        ],
        test_mode=True,
    ),
)
test_evaluator = dict(type='Accuracy')
