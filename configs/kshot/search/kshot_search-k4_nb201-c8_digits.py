# The digits have only two splits, so cells are scored on the test images.
_base_ = ['../kshot_demo_digits.py']

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
    generations=5,
    budget=dict(cost=dict(type='FLOPsCost'), min=5e6, max=8e6),
    retrain=dict(base='configs/kshot/retrain/kshot_cellnet-c8_1xb64-coslr-30e_digits.py'),
)
