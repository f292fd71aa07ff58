# Searches 200 paths on held-out images of CIFAR-10 as an image folder.
_base_ = ['vitas_supernet_small-p4_1xb64-coslr-12e_cifar10.py']

test_dataloader = dict(
    batch_size=250,
    num_workers=2,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageFolder',
        data_root='data/cifar10_folder/train',
        label_split='data/label_splits/cifar10_folder_heldout.txt',
        pipeline={{_base_.val_dataloader.dataset.pipeline}},
        test_mode=True,
    ),
)
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), min=6e6, max=9e6),
    retrain=dict(base='configs/vitas/vitas-small-p4_1xb64-coslr-20e_cifar10.py'),
)
