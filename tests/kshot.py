"""K-shot spaces that are small enough for tests."""

MOBILE_SPACE = dict(
    type='MobileNetV2SESpace',
    num_classes=3,
    input_size=16,
    stem_channels=4,
    first_channels=4,
    channels=(4, 8),
    layers=(2, 2),
    strides=(1, 1, 2),
    last_channels=8,
    kernels=(3, 5),
    widths=(0.5, 1.0),
    divisor=4,
)
CELL_SPACE = dict(type='NASBench201Space', num_classes=3, channels=4, cells=1, input_size=16)
MACRO_SPACE = dict(
    type='NASBenchMacroSpace',
    num_classes=3,
    input_size=16,
    stem_channels=4,
    channels=(4, 8),
    layers=(2, 2),
    last_channels=8,
)
