# Searches 2,000 paths of the 1 G space on held-out training images, 25 per class.
_base_ = ['vitas_supernet-1g_8xb128-coslr-300e_in1k.py', '../_base_/datasets/in1k_heldout.py']

test_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_cfg = dict(
    type='SearchLoop',
    population=50,
    generations=40,
    budget=dict(cost=dict(type='FLOPsCost'), min=0.9e9, max=1.0e9),
    autocast=True,
    retrain=dict(base='configs/vitas/vitas-b_8xb128-coslr-300e_in1k.py'),
)
