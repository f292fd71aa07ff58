# Searches 200 cells on held-out images of CIFAR-10 as an image folder.
_base_ = ['../kshot-k4_nb201-c8_1xb64-coslr-8e_cifar10.py']

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
    budget=dict(cost=dict(type='FLOPsCost'), min=5e6, max=8e6),
    retrain=dict(base='configs/kshot/retrain/kshot-cell-c8_1xb64-coslr-10e_cifar10.py'),
)
