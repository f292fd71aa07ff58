# A stand-alone network of the small space; the training folder sets the number of classes.
_base_ = [
    '../../_base_/datasets/linear_32px.py',
    '../../_base_/datasets/val_32px.py',
    '../../_base_/schedules/retrain_coslr_30e.py',
    '../../_base_/default_runtime.py',
]

# Expansion 6 and kernel 3 in every layer; a search's result replaces the blocks.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='SearchedMobileNetV2',
        # The input channels, output channels, stride and layers of each stage.
        blocks=[
            dict(
                out_channels=last,
                hidden_channels=6 * (last if layer else first),
                kernel_size=3,
                stride=1 if layer else stride,
                squeeze_channels=0,
            )
            for first, last, stride, layers in [
                (8, 16, 1, 2),
                (16, 24, 1, 2),
                (24, 40, 2, 2),
                (40, 48, 1, 2),
                (48, 64, 2, 2),
                (64, 96, 1, 1),
            ]
            for layer in range(layers)
        ],
        stem_channels=16,
        stem_stride=2,
        first_channels=8,
        last_channels=256,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=256, num_classes=None),
)
train_dataloader = dict(batch_size=64, num_workers=2, drop_last=True)
custom_hooks = [dict(type='ChannelsLastHook')]
