# Searches 200 paths on held-out images of the training folder.
_base_ = [
    '../kshot-k8_mobilenetv2-se-small_1xb64-coslr-60e_imagefolder32.py',
    '../../_base_/datasets/imagefolder32_heldout.py',
]

test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), min=7e6, max=9e6),
    retrain=dict(
        base='configs/kshot/retrain/kshot_mobilenetv2-se-small_1xb64-coslr-30e_imagefolder32.py'
    ),
)
