# A stand-alone network of NAS-Bench-Macro's space, with a quarter of its channels. A search
# replaces the blocks.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='SearchedMacroNetwork',
        blocks=['mb6_k5'] * 8,
        stem_channels=8,
        channels=(16, 32, 64),
        layers=(2, 3, 3),
        last_channels=320,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=320, num_classes=10),
)
