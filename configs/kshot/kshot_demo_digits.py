# scikit-learn's digits, some minutes on 2 CPU cores.
_base_ = [
    '../_base_/models/kshot_nb201_small.py',
    '../_base_/datasets/digits_linear.py',
    '../_base_/schedules/kshot_coslr_60e.py',
    '../_base_/kshot_runtime.py',
]

model = dict(warmup=dict(epochs=2))
train_dataloader = dict(batch_size=64, num_workers=2, drop_last=True)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20, val_interval=5)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5))
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PathCalibrationHook')]
