# Searches 2,000 paths on held-out training images, 25 per class.
_base_ = [
    '../kshot-k8_mobilenetv2-se_8xb128-coslr-120e_in1k.py',
    '../../_base_/datasets/in1k_heldout.py',
]

test_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_cfg = dict(
    type='SearchLoop',
    population=50,
    generations=40,
    budget=dict(cost=dict(type='FLOPsCost'), min=380e6, max=420e6),
    autocast=True,
    retrain=dict(base='configs/kshot/retrain/kshot_mobilenetv2-se_8xb128-coslr-120e_in1k.py'),
)
