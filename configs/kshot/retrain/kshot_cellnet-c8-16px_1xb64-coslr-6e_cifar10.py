# A cell network trained alone on the images of its supernet at 16 px, and tested on CIFAR-10's
# test images. A search, or retrain_paths.py, replaces the cell.
_base_ = [
    '../../_base_/models/searched_cellnet_small.py',
    '../../_base_/datasets/cached_16px.py',
    '../../_base_/schedules/retrain_coslr_30e.py',
    '../../_base_/default_runtime.py',
]

val_dataloader = dict(dataset=dict(data_root='data/cifar10_folder/test', label_split=None))
train_cfg = dict(max_epochs=6, val_interval=6)
default_hooks = dict(checkpoint=dict(interval=6, max_keep_ckpts=1))
custom_hooks = [dict(type='ChannelsLastHook')]
