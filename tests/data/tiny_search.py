# A search of a toy supernet, small enough that a command is tested in seconds.
_base_ = [
    '../../configs/ressl/benchmarks/ressl_resnet18-w16_1xb256-linear-coslr-100e_imagefolder32.py'
]

custom_imports = dict(imports=['tests.data.toy_supernet'])
model = dict(_delete_=True, type='ToySupernet', space=dict(type='ToySpace'))
train_dataloader = dict(batch_size=16, num_workers=0, persistent_workers=False)
val_dataloader = dict(batch_size=20, num_workers=0, persistent_workers=False)
test_dataloader = dict(
    batch_size=20,
    num_workers=0,
    dataset={{_base_.val_dataloader.dataset}},
    collate_fn=dict(type='default_collate'),
)
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=6,
    generations=4,
    budget=dict(cost=dict(type='ToyFLOPs'), min=200, max=800),
    retrain=dict(base='tests/data/tiny_retrain.py'),
)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=4, val_interval=4)
custom_hooks = []
