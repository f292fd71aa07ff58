# Searches 200 cells on held-out images of CIFAR-10 as an image folder.
_base_ = [
    '../kshot-k4_nb201-c8_1xb64-coslr-8e_cifar10.py',
    '../../_base_/datasets/imagefolder32_heldout.py',
]

test_dataloader = dict(
    dataset=dict(
        data_root='data/cifar10_folder/train',
        label_split='data/label_splits/cifar10_folder_heldout.txt',
    )
)
test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), min=5e6, max=8e6),
    retrain=dict(base='configs/kshot/retrain/kshot-cell-c8_1xb64-coslr-10e_cifar10.py'),
)
