# A stand-alone cell network on scikit-learn's digits.
_base_ = [
    '../../_base_/datasets/digits_linear.py',
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
    head=dict(type='LinearClsHead', in_channels=32, num_classes=10),
)
train_dataloader = dict(drop_last=True)
custom_hooks = [dict(type='ChannelsLastHook')]
