# Searches 200 paths of the small space on held-out images of the training folder.
_base_ = ['vitas_supernet_small_imagefolder32.py']

test_dataloader = dict(
    batch_size=250,
    num_workers=2,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageFolder',
        data_root='data/train',
        label_split='data/label_splits/imagefolder32_heldout.txt',
        pipeline={{_base_.val_dataloader.dataset.pipeline}},
        test_mode=True,
    ),
)
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), min=1.5e6, max=3e6),
    retrain=dict(base='configs/vitas/vitas_retrain_small_imagefolder32.py'),
)
