# The ImageNet settings on your own photos: a training folder and a test folder.
_base_ = ['ressl_resnet50_8xb32-coslr-200e_in1k.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolder',
        data_root='data/train',
        pipeline={{_base_.train_pipeline}},
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolder',
        data_root='data/test',
        pipeline={{_base_.val_pipeline}},
        test_mode=True,
    )
)
