# A stand-alone cell network. A search writes its best path into a config like this one.
_base_ = [
    '../../_base_/models/searched_cellnet_small.py',
    '../../_base_/datasets/linear_32px.py',
    '../../_base_/datasets/val_32px.py',
    '../../_base_/schedules/retrain_coslr_30e.py',
    '../../_base_/default_runtime.py',
]

# num_classes=None: taken from the training folder.
model = dict(head=dict(num_classes=None))
train_dataloader = dict(batch_size=64, num_workers=2, drop_last=True)
custom_hooks = [dict(type='ChannelsLastHook')]
