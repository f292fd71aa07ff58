# The digits have only two splits, so paths are scored on the test images.
_base_ = ['vitas_supernet_small_digits.py']

test_dataloader = dict(
    batch_size=360,
    num_workers=0,
    collate_fn=dict(type='default_collate'),
    dataset={{_base_.val_dataloader.dataset}},
)
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), min=1.5e6, max=3e6),
    retrain=dict(base='configs/vitas/vitas_retrain_small_digits.py'),
)
