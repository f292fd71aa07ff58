# Searches 200 paths of the small space on held-out images of the training folder.
_base_ = ['vitas_supernet_small_imagefolder32.py', '../_base_/datasets/imagefolder32_heldout.py']

test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), min=1.5e6, max=3e6),
    retrain=dict(base='configs/vitas/vitas_retrain_small_imagefolder32.py'),
)
