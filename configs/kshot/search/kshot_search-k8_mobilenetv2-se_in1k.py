# Searches 2,000 paths on held-out training images, 25 per class.
_base_ = ['../kshot-k8_mobilenetv2-se_8xb128-coslr-120e_in1k.py']

test_dataloader = dict(
    batch_size=250,
    num_workers=8,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageNet',
        data_root='data/imagenet',
        split='train',
        label_split='data/label_splits/in1k_heldout.txt',
        pipeline={{_base_.val_dataloader.dataset.pipeline}},
        test_mode=True,
    ),
)
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=50,
    generations=40,
    budget=dict(cost=dict(type='FLOPsCost'), min=380e6, max=420e6),
    autocast=True,
    retrain=dict(base='configs/kshot/retrain/kshot_mobilenetv2-se_8xb128-coslr-120e_in1k.py'),
)
