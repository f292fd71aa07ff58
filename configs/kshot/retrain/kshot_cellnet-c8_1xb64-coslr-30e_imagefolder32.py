# A stand-alone cell network. A search writes its best path into a config like this one.
_base_ = [
    '../../_base_/datasets/linear_32px.py',
    '../../_base_/schedules/retrain_coslr_30e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='SearchedCellNetwork',
        cell=dict(
            edge_0_1='conv3x3',
            edge_0_2='conv3x3',
            edge_1_2='conv3x3',
            edge_0_3='conv3x3',
            edge_1_3='conv3x3',
            edge_2_3='conv3x3',
        ),
        channels=8,
        cells=1,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=32, num_classes=None),
)
train_dataloader = dict(batch_size=64, num_workers=2, drop_last=True)
custom_hooks = [dict(type='ChannelsLastHook')]
