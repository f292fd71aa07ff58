# A supernet to rank against the public table, on one CPU core (docs/ranking.md). After 14 epochs
# it ranks far worse than after 56.
_base_ = [
    '../../_base_/models/kshot_nb201_16px.py',
    '../../_base_/datasets/cached_16px.py',
    '../../_base_/schedules/kshot_nesterov_coslr_14e.py',
    '../../_base_/default_runtime.py',
]

model = dict(k=4)
train_cfg = dict(max_epochs=56, val_interval=14)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
# The model averages each step's gradients over the ranks. Its val path gets BN statistics.
model_wrapper_cfg = dict(type='mmrel.ReplicaParallel')
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PathCalibrationHook')]
