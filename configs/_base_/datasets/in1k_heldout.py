# The search's held-out training images: a list that make_label_split.py wrote. Configs add the
# pipeline of the supernet's val_dataloader.
test_dataloader = dict(
    batch_size=250,
    num_workers=8,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageNet',
        data_root='data/imagenet',
        split='train',
        label_split='data/label_splits/in1k_heldout.txt',
        test_mode=True,
    ),
)
test_evaluator = dict(type='Accuracy')
