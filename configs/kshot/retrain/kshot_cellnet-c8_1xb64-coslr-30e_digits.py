# A stand-alone cell network on scikit-learn's digits.
_base_ = [
    '../../_base_/models/searched_cellnet_small.py',
    '../../_base_/datasets/digits_linear.py',
    '../../_base_/datasets/digits_val.py',
    '../../_base_/schedules/retrain_coslr_30e.py',
    '../../_base_/default_runtime.py',
]

train_dataloader = dict(drop_last=True)
custom_hooks = [dict(type='ChannelsLastHook')]
