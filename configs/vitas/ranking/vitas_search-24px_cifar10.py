# Searches the super-transformer on held-out images, within a budget that both patch sizes can meet.
_base_ = ['vitas_supernet-24px_1xb128-coslr-40e_cifar10.py']

test_dataloader = {{_base_.val_dataloader}}
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), min=0.6e6, max=0.9e6),
    retrain=dict(base='configs/vitas/ranking/vitas-24px_1xb128-coslr-10e_cifar10.py'),
)
