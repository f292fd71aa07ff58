# A stand-alone network of the space.
_base_ = [
    '../../_base_/datasets/in1k_linear.py',
    '../../_base_/datasets/in1k_val.py',
    '../../_base_/schedules/retrain_coslr_120e.py',
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
                (16, 32, 2, 4),
                (32, 40, 2, 4),
                (40, 80, 2, 4),
                (80, 96, 1, 4),
                (96, 192, 2, 4),
                (192, 320, 1, 1),
            ]
            for layer in range(layers)
        ],
        stem_channels=32,
        stem_stride=2,
        first_channels=16,
        last_channels=1280,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        in_channels=1280,
        num_classes=1000,
        loss=dict(type='SmoothCrossEntropy', label_smoothing=0.1),
    ),
)
train_dataloader = dict(batch_size=128, drop_last=True)
