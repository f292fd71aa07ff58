# scikit-learn's digits, some minutes on 2 CPU cores.
_base_ = [
    '../_base_/models/kshot_nb201_small.py',
    '../_base_/datasets/digits_linear.py',
    '../_base_/datasets/digits_val.py',
    '../_base_/schedules/kshot_coslr_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(warmup=dict(epochs=2))
train_dataloader = dict(drop_last=True)
train_cfg = dict(max_epochs=20, val_interval=5)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5))
# The model averages each step's gradients over the ranks. Its val path gets BN statistics.
model_wrapper_cfg = dict(type='mmrel.ReplicaParallel')
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PathCalibrationHook')]
