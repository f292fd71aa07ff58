# Like the search in the 1 G space, but in the larger space.
_base_ = ['vitas_supernet-4.9g_8xb128-coslr-300e_in1k.py']

test_dataloader = dict(
    batch_size=250,
    num_workers=8,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageNet',
        data_root='data/imagenet',
        split='train',
        label_split='data/label_splits/in1k_heldout.txt',
        pipeline={{_base_.val_dataloader.dataset.pipeline}},
        test_mode=True,
    ),
)
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=50,
    generations=40,
    budget=dict(cost=dict(type='FLOPsCost'), min=4.7e9, max=4.95e9),
    autocast=True,
    retrain=dict(base='configs/vitas/vitas-f_8xb128-coslr-300e_in1k.py'),
)
