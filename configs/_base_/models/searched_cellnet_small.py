# A stand-alone network of one NAS-Bench-201 cell per stage, starting with 8 channels. A search
# replaces the cell.
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
