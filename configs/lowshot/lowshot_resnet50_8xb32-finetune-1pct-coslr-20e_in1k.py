_base_ = ['lowshot_resnet50_8xb32-finetune-10pct-coslr-20e_in1k.py']

train_dataloader = dict(dataset=dict(label_split='data/label_splits/in1k_1pct.txt'))
optim_wrapper = dict(
    optimizer=dict(lr=0.02),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=250.0)}),
)
