# Scores 200 networks on the held-out images of the supernet in docs/ranking.md.
_base_ = ['../ranking/kshot-k4_macro-c16-16px_1xb64-coslr-14e_cifar10.py']

test_dataloader = {{_base_.val_dataloader}}
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), max=1.0e6),
    retrain=dict(base='configs/kshot/retrain/kshot_macro-c16-16px_1xb64-coslr-6e_cifar10.py'),
)
