# Searches 200 paths on held-out images of CIFAR-10 as an image folder.
_base_ = [
    'vitas_supernet_small-p4_1xb64-coslr-12e_cifar10.py',
    '../_base_/datasets/imagefolder32_heldout.py',
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
    budget=dict(cost=dict(type='FLOPsCost'), min=6e6, max=9e6),
    retrain=dict(base='configs/vitas/vitas-small-p4_1xb64-coslr-20e_cifar10.py'),
)
