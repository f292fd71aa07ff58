# Searches 200 paths on held-out images of the training folder.
_base_ = ['../kshot-k8_mobilenetv2-se-small_1xb64-coslr-60e_imagefolder32.py']

test_dataloader = dict(
    batch_size=250,
    num_workers=2,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageFolder',
        data_root='data/train',
        label_split='data/label_splits/imagefolder32_heldout.txt',
        pipeline={{_base_.val_dataloader.dataset.pipeline}},
        test_mode=True,
    ),
)
test_evaluator = dict(type='Accuracy')
test_cfg = dict(
    type='SearchLoop',
    population=20,
    generations=10,
    budget=dict(cost=dict(type='FLOPsCost'), min=7e6, max=9e6),
    retrain=dict(
        base='configs/kshot/retrain/mobilenetv2-se-small_1xb64-coslr-30e_imagefolder32.py'
    ),
)
