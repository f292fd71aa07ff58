# Like the search in the 1 G space, but in the larger space.
_base_ = ['vitas_supernet-4.9g_8xb128-coslr-300e_in1k.py', '../_base_/datasets/in1k_heldout.py']

test_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_cfg = dict(
    type='SearchLoop',
    population=50,
    generations=40,
    budget=dict(cost=dict(type='FLOPsCost'), min=4.7e9, max=4.95e9),
    autocast=True,
    retrain=dict(base='configs/vitas/vitas-f_8xb128-coslr-300e_in1k.py'),
)
